output "group" {
  description = "The Auto Scaling group."
  value       = aws_autoscaling_group.worker.name
}

output "topic" {
  description = "The topic of alarms and budget."
  value       = aws_sns_topic.alarms.arn
}

output "bucket" {
  description = "The bucket of outputs."
  value       = var.bucket_name
}

output "log_group" {
  description = "The log."
  value       = aws_cloudwatch_log_group.worker.name
}
