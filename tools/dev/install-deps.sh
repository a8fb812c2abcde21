#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Installs what the project needs to build, run and test, from the packages of Debian 12 or Ubuntu 24.04.
# Why each package is there: docs/decisions.md, "Dependencies".
#
# usage: tools/dev/install-deps.sh [build|run|test|ci]
#   build  compiler, meson and the libraries' headers
#   run    build, and the GStreamer elements and the card daemon that pipelines/ uses
#   test   run, and what tests/run.sh uses (the default)
#   ci     test, and what the sanitizer, fuzz and chroot runs use
#
# Asks for nothing, installs only what is missing, and needs root or sudo only when something is missing.
set -euo pipefail

level=${1:-test}

build_packages=(
  g++ meson ninja-build pkg-config git
  libssl-dev libexpected-dev libpcsclite-dev libcurl4-openssl-dev
  libcli11-dev nlohmann-json3-dev libboost-dev libtomlplusplus-dev libsqlite3-dev libxml2-dev libdvbcsa-dev libsrtp2-dev libpq-dev liblua5.4-dev
  libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev
)
# Intel's and AMD's 64-bit processors only.
[ "$(dpkg --print-architecture)" = amd64 ] && build_packages+=(libipsec-mb-dev)
run_packages=(
  openssl pcscd vsmartcard-vpcd python3
  gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-base-apps
  gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav
)
test_packages=(libgtest-dev libgmock-dev tshark ffmpeg postgresql)
ci_packages=(clang clang-format-14 libclang-rt-14-dev valgrind debootstrap)

case $level in
  build) wanted=("${build_packages[@]}") ;;
  run) wanted=("${build_packages[@]}" "${run_packages[@]}") ;;
  test) wanted=("${build_packages[@]}" "${run_packages[@]}" "${test_packages[@]}") ;;
  ci) wanted=("${build_packages[@]}" "${run_packages[@]}" "${test_packages[@]}" "${ci_packages[@]}") ;;
  *) echo "install-deps.sh: unknown level '$level': give build, run, test or ci" >&2; exit 2 ;;
esac

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "install-deps.sh: these packages are missing, and neither root nor sudo is here to install them:" >&2
    printf '  %s\n' "${missing[@]}" >&2
    exit 1
  }
  as_root=(sudo)
fi
echo "installing: ${missing[*]}"
# Tests start PostgreSQL servers of their own. That of the package would be made and started as it is installed, unless its
# settings (postgresql-common(7), createcluster.conf) say otherwise; who has the package already keeps what he has.
case " ${missing[*]} " in
  *" postgresql "*)
    no_cluster=/etc/postgresql-common/createcluster.d/gst-plugins-cas.conf
    [ -e /etc/postgresql-common/createcluster.conf ] || {
      "${as_root[@]}" mkdir -p "${no_cluster%/*}"
      echo 'create_main_cluster = false' | "${as_root[@]}" dd of="$no_cluster" status=none
    } ;;
esac
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
