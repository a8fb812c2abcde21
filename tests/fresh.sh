#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs both commands of the README on a machine that has nothing: a Debian chroot with git and ca-certificates alone. What the
# checkout forgets to install, and what only works in its author's place, shows here. Tests what is committed (HEAD).
#
# usage: tests/fresh.sh [--only quickstart|tests] [--user|--root] [--suite CODENAME] [--keep] [--refresh]
#   --only     one of the two commands; both otherwise
#   --root     as root alone; --user: as a plain user alone (root installs the packages first); both otherwise
#   --suite    the Debian release (default: bookworm)
#   --keep     leave the chroot in place (unmounted) and say where it is
#   --refresh  make the base system anew instead of taking the one that an earlier run has kept
#
# Needs root and debootstrap. Packages come from where this machine gets its own: apt's sources, keys and Acquire settings are
# taken over, passwords are not. Kept between runs in ${XDG_CACHE_HOME:-~/.cache}/gst-plugins-cas: the base system and the packages.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/gst-plugins-cas
suite=bookworm
commands=(quickstart tests)
accounts=(root user)
keep=false
refresh=false

die() { echo "fresh.sh: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case $1 in
    --only)
      case ${2:-} in
        quickstart | tests) commands=("$2") ;;
        *) die "--only takes quickstart or tests" ;;
      esac
      shift ;;
    --suite) suite=${2:?--suite takes a codename}; shift ;;
    --root) accounts=(root) ;;
    --user) accounts=(user) ;;
    --keep) keep=true ;;
    --refresh) refresh=true ;;
    -h | --help) sed -n '3,/^set /{/^set /!s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
    *) die "unknown option '$1'; see --help" ;;
  esac
  shift
done

[ "$(id -u)" -eq 0 ] || die "a chroot needs root: run it with sudo"
command -v debootstrap >/dev/null || die "debootstrap is missing: tools/dev/install-deps.sh ci installs it"

work=$(mktemp -d "${TMPDIR:-/tmp}/cas-fresh.XXXXXX")
root=$work/root
mounted=()

# Mounts that are still there below the chroot, deepest first.
mounts_below() { awk -v root="$root" 'index($5, root "/") == 1 { print $5 }' /proc/self/mountinfo | sort -r; }

# Daemons that a test left behind would keep the mounts busy. Whatever has the chroot as its root was started by it.
end_leftovers() {
  local process
  for process in /proc/[0-9]*; do
    [ "$(readlink "$process/root" 2>/dev/null || true)" = "$root" ] || continue
    echo "fresh.sh: left over in the chroot: $(tr '\0' ' ' <"$process/cmdline" 2>/dev/null || true)" >&2
    kill -KILL "${process#/proc/}" 2>/dev/null || true
  done
}

clean_up() {
  local status=$? point
  trap '' INT TERM
  set +e
  end_leftovers
  for ((i = ${#mounted[@]} - 1; i >= 0; i--)); do
    umount "${mounted[i]}" 2>/dev/null || umount -l "${mounted[i]}"
  done
  point=$(mounts_below)
  if [ -n "$point" ]; then
    echo "fresh.sh: still mounted, so nothing is deleted: $point" >&2
    exit 1
  fi
  if $keep; then
    echo "fresh.sh: the chroot is kept in $root"
  else
    rm -rf --one-file-system -- "$work"
  fi
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mount_in() {  # mount_in POINT mount-arguments...: mounts below the chroot and remembers it
  local point=$root/$1
  shift
  mkdir -p "$point"
  mount "$@" "$point"
  mounted+=("$point")
}

# --- the base system -------------------------------------------------------------------------------------------------------------

host_mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 2>/dev/null |
  awk -v suite="$suite" '$1 == suite && $2 == "main" { print $3; exit }')
base=$cache/base-$suite-$(dpkg --print-architecture).tar
mkdir -p "$cache/packages-$suite/partial"
if $refresh || [ ! -f "$base" ]; then
  echo "fresh.sh: making the base system ($suite)"
  debootstrap --variant=minbase --include=git,ca-certificates "$suite" "$root" ${host_mirror:+"$host_mirror"} >"$work/debootstrap.log" 2>&1 || {
    tail -n 20 "$work/debootstrap.log" >&2
    die "debootstrap failed"
  }
  rm -rf "$root"/var/cache/apt/archives/*.deb
  tar --numeric-owner -C "$root" -cf "$base.new" .
  mv "$base.new" "$base"
else
  echo "fresh.sh: taking the base system of $(date -r "$base" +%F) (--refresh makes it anew)"
  mkdir -p "$root"
  tar --numeric-owner -C "$root" -xpf "$base"
fi

# Where this machine gets its packages from. Another release than this machine's keeps what debootstrap wrote.
if [ -n "$host_mirror" ]; then
  rm -rf "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d
  for part in sources.list sources.list.d trusted.gpg trusted.gpg.d keyrings; do
    [ -e "/etc/apt/$part" ] && cp -a "/etc/apt/$part" "$root/etc/apt/"
  done
  cp -a /usr/share/keyrings/. "$root/usr/share/keyrings/"
fi
apt-config dump | grep '^Acquire::' >"$root/etc/apt/apt.conf.d/90host" || true
cp -L /etc/resolv.conf /etc/hosts "$root/etc/"
# No daemon starts when its package is installed.
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"

mount_in proc -t proc proc
mount_in dev/shm -t tmpfs -o mode=1777 tmpfs
mount_in var/cache/apt/archives --bind "$cache/packages-$suite"

# --- the runs --------------------------------------------------------------------------------------------------------------------

passed=0
failed=0
note() {  # note ok|bad WHAT
  if [ "$1" = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
  printf '%-4s %s\n' "$1" "$2"
}

chroot "$root" useradd --create-home --shell /bin/bash plain
home_of() { if [ "$1" = root ]; then echo /root; else echo /home/plain; fi; }
account_name() { if [ "$1" = root ]; then echo root; else echo plain; fi; }

proxies=()
for variable in http_proxy https_proxy no_proxy; do
  [ -n "${!variable:-}" ] && proxies+=("$variable=${!variable}")
done

in_chroot() {  # in_chroot ACCOUNT COMMAND...: from "/", with nothing of this shell's environment
  local account=$1
  shift
  chroot --userspec="$(account_name "$account"):$(account_name "$account")" "$root" /usr/bin/env -i \
    HOME="$(home_of "$account")" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
    ${proxies[@]+"${proxies[@]}"} "$@" </dev/null
}

checkout_of() { echo "$(home_of "$1")/a folder with spaces/gst-plugins-cas"; }
clone_for() {
  local place=$root$(checkout_of "$1")
  mkdir -p "$(dirname "$place")"
  git -c safe.directory='*' clone --quiet --no-hardlinks "$top" "$place"
  chroot "$root" chown -R "$(account_name "$1"):" "$(home_of "$1")"
}

[ -z "$(git -C "$top" status --porcelain 2>/dev/null)" ] || echo "fresh.sh: uncommitted changes are not part of this run"
for account in root user; do clone_for "$account"; done

# On a machine where nothing is installed, an account that may install nothing is told what it lacks.
if [[ " ${accounts[*]} " == *" user "* ]]; then
  if in_chroot user "$(checkout_of user)/tests/run.sh" >"$work/refusal.log" 2>&1; then
    note bad "a plain user with nothing installed: tests/run.sh claims success"
  elif grep -q 'neither root nor sudo' "$work/refusal.log" && grep -q 'g++' "$work/refusal.log"; then
    note ok "a plain user with nothing installed is told what is missing"
  else
    note bad "a plain user with nothing installed is not told what is missing:"
    tail -n 5 "$work/refusal.log"
  fi
fi

run_command() {  # run_command ACCOUNT quickstart|tests
  local program closing log=$work/$1-$2.log last started=$SECONDS
  case $2 in
    quickstart) program=pipelines/quickstart.sh closing='bit-exact' ;;
    tests) program=tests/run.sh closing='^[1-9][0-9]* passed, 0 failed(, [0-9]+ skipped)?$' ;;
  esac
  local status=0
  in_chroot "$1" "$(checkout_of "$1")/$program" >"$log" 2>&1 || status=$?
  last=$(grep -v '^[[:space:]]*$' "$log" | tail -n 1 || true)
  if [ "$status" -eq 0 ] && grep -qE "$closing" <<<"$last"; then
    note ok "$program as $(account_name "$1") in $((SECONDS - started)) s: $last"
  else
    note bad "$program as $(account_name "$1"): exit code $status, last line: $last"
    tail -n 40 "$log" | sed 's/^/    /'
  fi
}

# The plain user finds the packages that root has installed.
if [[ " ${accounts[*]} " != *" root "* ]]; then
  in_chroot root "$(checkout_of root)/tools/dev/install-deps.sh" test
fi
for account in "${accounts[@]}"; do
  for command in "${commands[@]}"; do run_command "$account" "$command"; done
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
