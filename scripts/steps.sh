# shellcheck shell=bash
# What the scripts share: where things lie, how a step is told and timed, and how a missing tool
# is installed. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
HOME_DIR=$ROOT/.portolan
mkdir -p "$HOME_DIR"

# say TEXT: one line to the person who watches.
say() {
    printf 'portolan: %s\n' "$*"
}

# fail TEXT: says what is wrong and its mend, and ends the script.
fail() {
    printf 'portolan: %s\n' "$*" >&2
    exit 1
}

# step NAME COMMAND...: runs it, tells its name and seconds, says every 30 s that it goes on, and
# ends the script with the step's name when it fails.
step() {
    local name=$1 began=$SECONDS job beat status=0
    shift
    say "$name ..."
    # In the background and waited for, so that a signal is acted on now and not after the step.
    "$@" &
    job=$!
    while sleep 30; do say "$name: still at it, $((SECONDS - began)) s"; done &
    beat=$!
    wait "$job" || status=$?
    end_tree "$beat"
    wait "$beat" 2>/dev/null || true
    if [ "$status" -ne 0 ]; then
        fail "step \`$name\` failed with status $status after $((SECONDS - began)) s"
    fi
    say "$name: done in $((SECONDS - began)) s"
}

# tree PID: the process and all below it, the deepest last.
tree() {
    local child
    echo "$1"
    for child in $(ps -o pid= --ppid "$1" 2>/dev/null); do
        tree "$child"
    done
}

# end_tree PID...: SIGTERM to each and everything below it, SIGKILL to what is left after 10 s.
# Without a terminal there is no foreground group that Ctrl-C would end for us.
end_tree() {
    local pid
    local -a pids=()
    for pid in "$@"; do
        mapfile -t -O "${#pids[@]}" pids < <(tree "$pid")
    done
    kill -TERM "${pids[@]}" 2>/dev/null || true
    for _ in {1..100}; do
        alive "${pids[@]}" || return 0
        sleep 0.1
    done
    say "ending what did not stop in 10 s: ${pids[*]}"
    kill -KILL "${pids[@]}" 2>/dev/null || true
}

# stop_all: for `trap stop_all EXIT`: ends everything below this script.
stop_all() {
    local -a children
    trap '' INT TERM
    mapfile -t children < <(ps -o pid= --ppid $$ | tr -d ' ')
    end_tree "${children[@]}"
}

# alive PID...: whether one of them still runs; a zombie that waits for its parent does not.
alive() {
    local pid state
    for pid in "$@"; do
        state=$(ps -o state= -p "$pid" 2>/dev/null) || continue
        case $state in Z*) ;; *) return 0 ;; esac
    done
    return 1
}

# need_apt COMMAND PACKAGE...: installs Debian packages when the command is missing.
need_apt() {
    local command=$1
    shift
    command -v "$command" >/dev/null || install_apt "$@"
}

# install_apt PACKAGE...: only as root; otherwise it says what to type.
install_apt() {
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
        fail "something is missing; \`sudo apt-get install -y $*\` brings it"
    fi
    if [ -z "${APT_UPDATED:-}" ]; then
        step "apt-get update" apt-get update -qq
        APT_UPDATED=1
    fi
    step "installing $*" apt_install "$@"
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" \
        >"$HOME_DIR/apt.log" 2>&1 || { tail -n 20 "$HOME_DIR/apt.log" >&2; return 1; }
}

# need_tools: the compilers and interpreters that everything here is built with.
need_tools() {
    need_apt gcc build-essential
    need_apt g++ build-essential
    need_apt pkg-config pkg-config
    need_apt curl curl ca-certificates
    need_apt ps procps
    need_apt flock util-linux
    need_apt python3 python3 python3-venv
    need_apt node nodejs npm
    need_apt npm npm
    command -v cargo >/dev/null || fail "\`cargo\` is missing; install Rust (the version is in rust-toolchain.toml)"
    local major
    major=$(node -p 'process.versions.node.split(".")[0]')
    [ "$major" -ge 20 ] || fail "node $(node --version) is too old; install Node 20 or newer"
}

# need_venv: .portolan/venv with the pinned packages of scripts/requirements.txt.
need_venv() {
    local venv=$HOME_DIR/venv pins
    pins=$(sha256sum <"$ROOT/scripts/requirements.txt")
    (
        # Two scripts may want it at once; the second waits and finds it done.
        flock 9
        [ "$(cat "$venv/pins" 2>/dev/null)" = "$pins" ] && exit 0
        say "making $venv"
        if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
            install_apt python3-venv
        fi
        rm -rf "$venv"
        python3 -m venv "$venv" || fail "python3 -m venv failed; \`apt-get install python3-venv\` may mend it"
        "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
            --only-binary=:all: -r "$ROOT/scripts/requirements.txt" \
            || fail "pip could not install scripts/requirements.txt (wheels for Linux x86_64, Python 3.11 to 3.13)"
        echo "$pins" >"$venv/pins"
    ) 9>"$HOME_DIR/venv.lock"
}

# npm_ci FOLDER [OPTION...]: `npm ci` when node_modules is missing or the lock file has changed.
npm_ci() {
    local folder=$1 pins
    shift
    pins=$(sha256sum <"$folder/package-lock.json")
    (
        flock 9
        [ "$(cat "$folder/node_modules/.portolan-pins" 2>/dev/null)" = "$pins" ] && exit 0
        cd "$folder" || exit 1
        npm ci --ignore-scripts --no-audit --no-fund --loglevel=error "$@" || exit 1
        echo "$pins" >node_modules/.portolan-pins
    ) 9>"$HOME_DIR/npm-$(basename "$folder").lock"
}

# free_port PORT VARIABLE: refuses a port that something listens on, and names the mend.
free_port() {
    if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then
        fail "port $1 is taken; end what listens there, or choose another: \`make run $2=$(($1 + 100))\`"
    fi
}

# wait_for URL PID SECONDS NAME LOG: until the URL answers 200; fails when the process has ended.
wait_for() {
    local url=$1 pid=$2 seconds=$3 name=$4 log=$5 until
    until=$((SECONDS + seconds))
    until curl -sf -o /dev/null --max-time 5 "$url"; do
        kill -0 "$pid" 2>/dev/null || { tail -n 20 "$log" >&2; fail "$name ended; its log is $log"; }
        [ "$SECONDS" -lt "$until" ] || { tail -n 20 "$log" >&2; fail "$name was not ready after $seconds s; its log is $log"; }
        sleep 0.2
    done
}

# build_web: `npm run build` in web/ when its sources have changed since the last build; fails when a first load
# is over the budget of web/scripts/size.mjs.
build_web() {
    local state
    npm_ci "$ROOT/web" || return 1
    state=$(cd "$ROOT/web" && find . \( -name node_modules -o -name dist \) -prune -o -type f -print0 \
        | sort -z | xargs -0 sha256sum | sha256sum)
    [ -d "$ROOT/web/dist" ] && [ "$(cat "$HOME_DIR/web.built" 2>/dev/null)" = "$state" ] && return 0
    (cd "$ROOT/web" && npm run build && npm run size) || return 1
    echo "$state" >"$HOME_DIR/web.built"
}

# binary PROFILE: where cargo puts `portolan` for `debug` or `release`.
binary() {
    echo "${CARGO_TARGET_DIR:-$ROOT/target}/$1/portolan"
}

# use_models: the environment in which `portolan` finds the fetched weights and ONNX Runtime.
use_models() {
    export PORTOLAN_MODELS=${PORTOLAN_MODELS:-$HOME_DIR/models}
    export ORT_DYLIB_PATH=${ORT_DYLIB_PATH:-$HOME_DIR/lib/libonnxruntime.so}
}
