resource "aws_s3_bucket" "outputs" {
  count  = var.create_bucket ? 1 : 0
  bucket = var.bucket_name
  tags   = local.tags
}

resource "aws_s3_bucket_public_access_block" "outputs" {
  count                   = var.create_bucket ? 1 : 0
  bucket                  = aws_s3_bucket.outputs[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "outputs" {
  count  = var.create_bucket ? 1 : 0
  bucket = aws_s3_bucket.outputs[0].id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "outputs" {
  count  = var.create_bucket ? 1 : 0
  bucket = aws_s3_bucket.outputs[0].id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "outputs" {
  count  = var.create_bucket ? 1 : 0
  bucket = aws_s3_bucket.outputs[0].id
  rule {
    id     = "unfinished-uploads"
    status = "Enabled"
    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }
  rule {
    id     = "checkpoints"
    status = "Enabled"
    filter {
      prefix = "checkpoints/"
    }
    expiration {
      days = 7
    }
  }
}

resource "aws_s3_bucket_policy" "outputs" {
  count  = var.create_bucket ? 1 : 0
  bucket = aws_s3_bucket.outputs[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyTls"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.bucket, "${local.bucket}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_cloudwatch_log_group" "worker" {
  name              = "/${var.name}"
  retention_in_days = var.log_retention_days
  tags              = local.tags
}
