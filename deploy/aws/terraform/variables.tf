# The same as the parameters of cloudformation.yaml, with the same defaults.

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "name" {
  type        = string
  default     = "slate360-worker"
  description = "Begins the names of all that is made."
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,30}$", var.name))
    error_message = "Want lower-case letters, digits and dashes, 31 at most."
  }
}

variable "vpc_id" {
  type = string
}

variable "subnet_ids" {
  type        = list(string)
  description = "Several zones give more kinds of spot machines. They need a way out to the internet."
}

variable "image_id" {
  type        = string
  default     = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id"
  description = "Parameter that names the image of the workers. The default has NVIDIA's driver; a bare Ubuntu starts some minutes later."
}

variable "controller_image_id" {
  type        = string
  default     = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64"
  description = "Parameter that names the image of the machine that sizes the group (arm64)."
}

variable "release_path" {
  type        = string
  default     = "/slate360-worker-release"
  description = "Path in the Parameter Store; linux_amd64 and linux_arm64 below it say \"ADDRESS SHA256\" of the release. Not below environment_path."
}

variable "release_bucket" {
  type        = string
  default     = ""
  description = "Bucket that releases are fetched from, where their addresses are s3://."
}

variable "environment_path" {
  type        = string
  default     = "/slate360-worker"
  description = "Path in the Parameter Store; each parameter below it is a variable of the worker."
}

variable "environment_secret_arn" {
  type        = string
  default     = ""
  description = "Secret with more variables, as JSON; empty is none."
}

variable "queue" {
  type    = string
  default = "model-processing"
}

variable "redis_port" {
  type    = number
  default = 6379
}

variable "database_port" {
  type        = number
  default     = 0
  description = "5432 where DATABASE_URL is used; 0 for Supabase, which is reached as all else."
}

variable "instance_types" {
  type        = list(string)
  default     = ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"]
  description = "All of x86_64."
}

variable "max_size" {
  type    = number
  default = 4
}

variable "on_demand_base" {
  type        = number
  default     = 0
  description = "The first so many machines are on demand."
}

variable "on_demand_percentage" {
  type        = number
  default     = 0
  description = "Of the machines above on_demand_base."
}

variable "spot_max_price" {
  type        = string
  default     = "0.60"
  description = "The most to pay for an hour of a spot machine, in dollars."
}

variable "volume_size" {
  type        = number
  default     = 200
  description = "GB."
}

variable "root_device" {
  type        = string
  default     = "/dev/sda1"
  description = "Root device of the image; /dev/sda1 for Ubuntu, /dev/xvda for Debian and Amazon Linux."
}

variable "drain_minutes" {
  type        = number
  default     = 10
  description = "What running jobs get when the group takes a machine; a spot notice gives two minutes."
}

variable "drain_heartbeat_seconds" {
  type        = number
  default     = 900
  description = "After this the group takes a machine that does not answer; longer than drain_minutes."
  validation {
    condition     = var.drain_heartbeat_seconds >= 120 && var.drain_heartbeat_seconds <= 7200
    error_message = "Want 120 to 7200."
  }
}

variable "bucket_name" {
  type        = string
  description = "Bucket of outputs and checkpoints."
}

variable "create_bucket" {
  type    = bool
  default = true
}

variable "source_bucket" {
  type        = string
  default     = ""
  description = "Bucket of sources that jobs name as s3://, where it is another; empty is bucket_name."
}

variable "source_prefix" {
  type    = string
  default = "uploads/"
}

variable "key_name" {
  type        = string
  default     = ""
  description = "Key pair for SSH; empty is none."
}

variable "ssh_cidr" {
  type        = string
  default     = ""
  description = "Network that may use SSH; empty is none."
}

variable "api_cidr" {
  type        = string
  default     = ""
  description = "Network that may use the API, where SLATE360_ADDR is :8360; empty is none."
}

variable "alarm_email" {
  type    = string
  default = ""
}

variable "monthly_budget" {
  type        = number
  default     = 200
  description = "Dollars; 80 % spent or all forecast tells the topic."
}

variable "log_retention_days" {
  type    = number
  default = 30
}
