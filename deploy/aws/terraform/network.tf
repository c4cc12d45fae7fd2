# What workers may reach, and who may reach them.
resource "aws_security_group" "worker" {
  name_prefix = "${var.name}-"
  description = "Workers - out for what they need, in for nobody"
  vpc_id      = var.vpc_id
  tags        = merge(local.tags, { Name = var.name })

  egress {
    description = "AWS - platform and sources"
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    description = "signed packages of Ubuntu and Debian"
    protocol    = "tcp"
    from_port   = 80
    to_port     = 80
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    description = "Redis"
    protocol    = "tcp"
    from_port   = var.redis_port
    to_port     = var.redis_port
    cidr_blocks = ["0.0.0.0/0"]
  }
  dynamic "egress" {
    for_each = var.database_port == 0 ? [] : [var.database_port]
    content {
      description = "PostgreSQL"
      protocol    = "tcp"
      from_port   = egress.value
      to_port     = egress.value
      cidr_blocks = ["0.0.0.0/0"]
    }
  }
  dynamic "ingress" {
    for_each = var.ssh_cidr == "" ? [] : [var.ssh_cidr]
    content {
      description = "SSH"
      protocol    = "tcp"
      from_port   = 22
      to_port     = 22
      cidr_blocks = [ingress.value]
    }
  }
  dynamic "ingress" {
    for_each = var.api_cidr == "" ? [] : [var.api_cidr]
    content {
      description = "API"
      protocol    = "tcp"
      from_port   = 8360
      to_port     = 8360
      cidr_blocks = [ingress.value]
    }
  }
  lifecycle {
    create_before_destroy = true
  }
}
