# Owns one server: starts it, waits for the end of its input, stops it, tidies up.
# $1: run folder. $2: template, or empty. $3: `initdb`, or `pg_basebackup` for a standby.
# $4: its arguments, in one.
# The rest: the command of the server.
#
# A server that has ended is started again for each line of input.
run=$1 template=$2 maker=$3 maker_arguments=$4
shift 4

# A signal to the whole session must not end the one process that tidies up. Its
# input ends with its parent anyway.
trap '' HUP INT TERM
exec 3<&0 </dev/null

make_data() {
    if [ -n "$template" ]; then
        cp -Rp "$template" "$run/data" && return
        rm -rf "$run/data"
    fi
    # Unquoted: these are several words.
    "$maker" $maker_arguments -D "$run/data"
}

# Runs the server until it ends, by itself or with our input.
serve() {
    "$@" >>"$run/server.log" 2>&1 3<&- &
    server=$!
    # Again and again: a shell starts background commands with SIGQUIT ignored, so
    # a server that is still starting may miss it.
    {
        read -r line <&3
        while kill -QUIT "$server"; do sleep 0.02 || sleep 1; done
    } 2>/dev/null &
    watcher=$!
    wait "$server"
    # It would take the next line, which is for us.
    kill -KILL "$watcher" 2>/dev/null
    wait "$watcher" 2>/dev/null
}

if make_data >"$run/server.log" 2>&1; then
    serve "$@"
fi

# Tells our parent that there is no server any more; it may want to read the log, or
# to have the server back.
: >"$run/ended"
while read -r line <&3; do
    serve "$@"
    : >"$run/ended"
done
rm -rf "$run"
# Succeeds if no other server and no template is there.
rmdir "${run%/*}" 2>/dev/null
