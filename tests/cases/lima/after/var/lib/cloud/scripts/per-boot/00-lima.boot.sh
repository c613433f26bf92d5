#!/bin/sh
set -eu
LIMA_CIDATA_MNT="/mnt/lima-cidata"
exec "$LIMA_CIDATA_MNT"/boot.sh
