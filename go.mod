module slate360.ai/worker

go 1.26
