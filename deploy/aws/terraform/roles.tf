locals {
  assume = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

# What both kinds of machines may do.
resource "aws_iam_policy" "common" {
  name_prefix = "${var.name}-"
  description = "Read the release and the environment, write logs and metrics, look at groups"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid      = "Parameters"
        Effect   = "Allow"
        Action   = ["ssm:GetParameter", "ssm:GetParametersByPath"]
        Resource = ["${local.parameter}${var.release_path}/*", "${local.parameter}${var.environment_path}", "${local.parameter}${var.environment_path}/*"]
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
        Resource = [local.log, "${local.log}:*"]
      },
      {
        Sid       = "Metrics"
        Effect    = "Allow"
        Action    = "cloudwatch:PutMetricData"
        Resource  = "*"
        Condition = { StringEquals = { "cloudwatch:namespace" = ["Slate360/Worker", "Slate360/Host"] } }
      },
      {
        Sid      = "LookAtGroups"
        Effect   = "Allow"
        Action   = ["autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeAutoScalingInstances", "autoscaling:DescribeLifecycleHooks", "ec2:DescribeTags"]
        Resource = "*"
      },
    ]
  })
}

resource "aws_iam_role" "worker" {
  name               = "${var.name}-${var.region}"
  assume_role_policy = local.assume
  tags               = local.tags
}

resource "aws_iam_role_policy_attachment" "worker" {
  role       = aws_iam_role.worker.name
  policy_arn = aws_iam_policy.common.arn
}

resource "aws_iam_role_policy" "worker" {
  name = "worker"
  role = aws_iam_role.worker.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Outputs"
        Effect = "Allow"
        Action = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        Resource = [
          "${local.bucket}/processed/*", "${local.bucket}/checkpoints/*", "${local.bucket}/uploads/*", "${local.bucket}/.slate360-ping/*",
        ]
      },
      # On the whole bucket: else S3 says of an object that is not there that it is forbidden.
      { Sid = "ListOutputs", Effect = "Allow", Action = "s3:ListBucket", Resource = local.bucket },
      { Sid = "Sources", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.source}/${var.source_prefix}*" },
      {
        Sid       = "ListSources"
        Effect    = "Allow"
        Action    = "s3:ListBucket"
        Resource  = local.source
        Condition = { StringLike = { "s3:prefix" = "${var.source_prefix}*" } }
      },
      {
        Sid      = "OwnGroup"
        Effect   = "Allow"
        Action   = ["autoscaling:SetInstanceProtection", "autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"]
        Resource = local.group
      },
    ]
  })
}

resource "aws_iam_instance_profile" "worker" {
  name = "${var.name}-${var.region}"
  role = aws_iam_role.worker.name
}

resource "aws_iam_role" "controller" {
  name               = "${var.name}-controller-${var.region}"
  assume_role_policy = local.assume
  tags               = local.tags
}

resource "aws_iam_role_policy_attachment" "controller" {
  role       = aws_iam_role.controller.name
  policy_arn = aws_iam_policy.common.arn
}

resource "aws_iam_role_policy" "controller" {
  name = "controller"
  role = aws_iam_role.controller.name
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Resize", Effect = "Allow", Action = "autoscaling:SetDesiredCapacity", Resource = local.group }]
  })
}

resource "aws_iam_instance_profile" "controller" {
  name = "${var.name}-controller-${var.region}"
  role = aws_iam_role.controller.name
}

resource "aws_iam_role_policy" "secret" {
  for_each = var.environment_secret_arn == "" ? {} : { worker = aws_iam_role.worker.name, controller = aws_iam_role.controller.name }
  name     = "secret"
  role     = each.value
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Secret", Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = var.environment_secret_arn }]
  })
}

resource "aws_iam_role_policy" "release" {
  for_each = var.release_bucket == "" ? {} : { worker = aws_iam_role.worker.name, controller = aws_iam_role.controller.name }
  name     = "release"
  role     = each.value
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Release", Effect = "Allow", Action = "s3:GetObject", Resource = "arn:${local.partition}:s3:::${var.release_bucket}/*" }]
  })
}
