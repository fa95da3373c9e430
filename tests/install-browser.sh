#!/bin/sh
# Installs the Chromium that the browser tests drive, where this machine lets us; elsewhere they are skipped.
set -eu

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then
        exit 0
    fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "==> Installing Chromium for the browser tests"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null && exit 0
fi
echo "==> There is no Chromium on this machine, so the browser tests will be skipped."
echo "    To run them, install it once: sudo apt-get install chromium"
