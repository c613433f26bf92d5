"""Terraform's `cloudinit_config` with its defaults (gzip and base64), handed to a platform that decodes neither."""

import base64
import gzip

CONFIG = b"""\
Content-Type: multipart/mixed; boundary="MIMEBOUNDARY"
MIME-Version: 1.0\r
\r
--MIMEBOUNDARY\r
Content-Transfer-Encoding: 7bit\r
Content-Type: text/cloud-config\r
Mime-Version: 1.0\r
\r
#cloud-config
hostname: tf1
users: []
\r
--MIMEBOUNDARY--\r
"""
FILES = {"user-data": base64.b64encode(gzip.compress(CONFIG, mtime=0))}
