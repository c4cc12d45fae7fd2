# slate360-worker: spot machines with graphics cards that an Auto Scaling group holds,
# none when there is nothing to do; the machine that sizes the group; bucket, log,
# alarms and budget. Equal to ../cloudformation.yaml: a test compares them.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_ssm_parameter" "image" {
  name = var.image_id
}

data "aws_ssm_parameter" "controller_image" {
  name = var.controller_image_id
}

locals {
  partition = data.aws_partition.current.partition
  account   = data.aws_caller_identity.current.account_id
  bucket    = "arn:${local.partition}:s3:::${var.bucket_name}"
  source    = "arn:${local.partition}:s3:::${var.source_bucket == "" ? var.bucket_name : var.source_bucket}"
  parameter = "arn:${local.partition}:ssm:${var.region}:${local.account}:parameter"
  log       = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group:/${var.name}"
  group     = "arn:${local.partition}:autoscaling:${var.region}:${local.account}:autoScalingGroup:*:autoScalingGroupName/${var.name}"
  tags      = { Project = var.name }

  # What both kinds of machines start with; worker-init.sh follows.
  init   = <<-END
    export INIT_RELEASE_PATH='${var.release_path}' INIT_ENV_PATH='${var.environment_path}' INIT_ENV_SECRET='${var.environment_secret_arn}'
    export INIT_LOG_GROUP='/${var.name}' INIT_DRAIN='${var.drain_minutes}m'
    export INIT_ENV='AWS_REGION=${var.region}
    AWS_S3_BUCKET=${var.bucket_name}
    SLATE360_QUEUE=${var.queue}
    SLATE360_CLOUDWATCH=api
    SLATE360_TERMINATE_TIMEOUT=${var.drain_minutes}m
    SLATE360_SCALING_GROUP=${var.name}'
  END
  script = file("${path.module}/../worker-init.sh")
}
