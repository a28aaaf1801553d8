# Helpers that the scripts of this repository source. Bash 3.2 is enough.
# Everything a person reads goes to standard error; standard output belongs to results.
# shellcheck shell=bash

# Root of the clone, the cache for everything that can be made again, and cargo's target folder.
OL_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
OL_CACHE=${OPENLEDGER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/openledger}
OL_TARGET=${CARGO_TARGET_DIR:-$OL_ROOT/target}
case $OL_TARGET in /*) ;; *) OL_TARGET=$PWD/$OL_TARGET ;; esac

# Exit codes: 1 a check failed, 2 this machine or the call is not fit, 130 interrupted.
say() { printf '%s\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
# Shown when OPENLEDGER_DEBUG is not empty.
debug() { [ -z "${OPENLEDGER_DEBUG:-}" ] || printf 'debug: %s\n' "$*" >&2; }
# fail CODE MESSAGE [ADVICE]: the check did not pass.
fail() {
  printf 'error %s: %s\n' "$1" "$2" >&2
  [ -z "${3:-}" ] || printf '  what to do: %s\n' "$3" >&2
  exit 1
}
# die CODE MESSAGE [ADVICE]: the machine or the call has to change first.
die() {
  printf 'error %s: %s\n' "$1" "$2" >&2
  [ -z "${3:-}" ] || printf '  what to do: %s\n' "$3" >&2
  exit 2
}

# ---- time -----------------------------------------------------------------------------------
# elapsed SINCE: whole seconds since a value of $SECONDS.
elapsed() { printf '%s' "$((SECONDS - $1))"; }
# timed TEXT COMMAND...: says what is done, runs it, says how long it took.
timed() {
  local text=$1 since=$SECONDS
  shift
  say "==> $text"
  "$@" || { local rc=$?; say "    failed after $(elapsed "$since") s"; return "$rc"; }
  say "    done in $(elapsed "$since") s"
}

# ---- tools ----------------------------------------------------------------------------------
have() { command -v "$1" >/dev/null 2>&1; }

# Words of the command that installs a tool on this platform.
install_advice() {
  local tool=$1 manager
  if [ "$(uname -s)" = Darwin ]; then manager=brew
  elif have apt-get; then manager=apt
  elif have dnf; then manager=dnf
  elif have pacman; then manager=pacman
  elif have apk; then manager=apk
  else manager=none; fi
  case $tool:$manager in
    cc:brew) echo "xcode-select --install" ;;
    cc:apt) echo "sudo apt-get install -y build-essential" ;;
    cc:dnf) echo "sudo dnf install -y gcc gcc-c++ make" ;;
    cc:pacman) echo "sudo pacman -S --needed base-devel" ;;
    cc:apk) echo "sudo apk add build-base" ;;
    go:brew) echo "brew install go" ;;
    go:apt) echo "sudo apt-get install -y golang-go   (1.24 or newer; else the archive from go.dev/doc/install)" ;;
    go:dnf) echo "sudo dnf install -y golang" ;;
    go:pacman) echo "sudo pacman -S --needed go" ;;
    go:apk) echo "sudo apk add go" ;;
    rustup:brew) echo "brew install rustup && rustup default stable" ;;
    rustup:apt) echo "sudo apt-get install -y rustup && rustup default stable   (or the installer from rustup.rs)" ;;
    rustup:pacman) echo "sudo pacman -S --needed rustup && rustup default stable" ;;
    rustup:apk) echo "sudo apk add rustup && rustup-init -y" ;;
    rustup:*) echo "the installer from rustup.rs, then: rustup default stable" ;;
    *:brew) echo "brew install $tool" ;;
    *:apt) echo "sudo apt-get install -y $tool" ;;
    *:dnf) echo "sudo dnf install -y $tool" ;;
    *:pacman) echo "sudo pacman -S --needed $tool" ;;
    *:apk) echo "sudo apk add $tool" ;;
    *) echo "install $tool with the package manager of this system" ;;
  esac
}

# need TOOL...: every missing tool is named at once, with the command that installs it.
need() {
  local tool probe missing=0
  for tool in "$@"; do
    probe=$tool
    [ "$tool" != rustup ] || probe=cargo
    have "$probe" && continue
    missing=1
    printf 'error E-ENV-001: %s is not installed\n  what to do: %s\n' \
      "$tool" "$(install_advice "$tool")" >&2
  done
  [ "$missing" -eq 0 ] || exit 2
}

# need_go: Go of at least the version that testnet/go.mod asks for.
need_go() {
  need go
  local v major minor
  v=$(GOTOOLCHAIN=local go env GOVERSION)
  v=${v#go}
  major=${v%%.*}
  minor=${v#*.}
  minor=${minor%%[!0-9]*}
  if [ "$major" -eq 1 ] && [ "${minor:-0}" -lt 24 ]; then
    die E-ENV-002 "Go $v is too old: the chain needs 1.24" "$(install_advice go)"
  fi
}

# ---- files ----------------------------------------------------------------------------------
# sha256 [FILE]: hex digest of a file, or of standard input.
sha256() {
  if have sha256sum; then sha256sum ${1+"$1"}; else shasum -a 256 ${1+"$1"}; fi | cut -d' ' -f1
}
# sha256_tree PATH...: one digest over the names and bytes of all files under the paths.
sha256_tree() {
  local f
  find "$@" -type f | LC_ALL=C sort | while IFS= read -r f; do
    printf '%s %s\n' "$f" "$(sha256 "$f")"
  done | sha256
}
bytes_of() { wc -c <"$1" | tr -d ' '; }

# ---- ports and endpoints --------------------------------------------------------------------
# port_in_use PORT: does something on the loopback interface answer?
port_in_use() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# free_base_port [FROM]: first base at which ten ports in a row are free, in steps of 20.
free_base_port() {
  local base=${1:-26650} p
  while [ "$base" -lt 60000 ]; do
    p=$base
    while [ "$p" -lt $((base + 10)) ] && ! port_in_use "$p"; do p=$((p + 1)); done
    [ "$p" -lt $((base + 10)) ] || { echo "$base"; return 0; }
    base=$((base + 20))
  done
  return 1
}
# http_get URL: the body, nothing else; fails on any status above 399 and after three seconds.
http_get() { curl -fsS --max-time 3 --noproxy '*' "$1" 2>/dev/null; }
# json_field NAME: first string or number of that name in the JSON on standard input.
# Enough for flat answers of known shape; anything more belongs in a program.
json_field() {
  tr -d '\n' | sed -n "s/.*\"$1\" *: *\"\{0,1\}\([^\",}]*\).*/\1/p" | head -n 1
}
# wait_for SECONDS TEXT COMMAND...: polls until the command succeeds; fails after the time.
wait_for() {
  local limit=$1 text=$2 since=$SECONDS
  shift 2
  debug "waiting for $text"
  until "$@"; do
    [ $((SECONDS - since)) -lt "$limit" ] || { say "no $text within $limit s"; return 1; }
    sleep 0.1
  done
}
