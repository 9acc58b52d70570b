variable "name" { type = string }
variable "image" { type = string }
variable "database" { type = string }
variable "password" { type = string }
variable "replicas" {
  type    = number
  default = 1
}
