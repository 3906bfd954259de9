# SPDX-License-Identifier: MIT
# bash completion for aioctl(1): verbs, options and what they take, the tasks, groups and functions
# that are there, and any command line behind `submit` and `run`.
#
# Works by itself; with the bash-completion package the words of a command are completed as that
# command's own. What aioctl prints is never expanded, and quoted before it is offered.

# Options of a verb; those that take an argument end in "=".
_aioctl_options()
{
    local filters="--group= -g --name= --since= --until="
    case $1 in
    submit | run)
        echo "--name= --group= -g --command= -c --call= --in= --at= --env= --clean-env --stdin=" \
            "--split --cwd="
        [[ $1 == run ]] || echo "--output= -o" ;;
    status | ps | ls)
        echo "--state= -s --live --done --ok --failed --cancelled $filters --lines= -n --all -a" \
            "--watch -w --env --output= -o" ;;
    await) echo "--timeout= -t --propagate --output= -o" ;;
    wait) echo "--all --first --timeout= -t --propagate --output= -o" ;;
    result | functions | health) echo "--output= -o" ;;
    logs) echo "--follow -f --lines= -n --stderr --attempt= --raw" ;;
    events) echo "--follow -f --lines= -n --since= --group= -g --output= -o" ;;
    cancel) echo "--kill --state= -s $filters" ;;
    retry) echo "--failed --cancelled --ok $filters --output= -o" ;;
    rm) echo "--done --ok --failed --cancelled --older= $filters" ;;
    group | groups) echo "--slots= --all -a --output= -o" ;;
    esac
    echo "--socket= --user --system --color= --help -h --version"
}

_aioctl_verbs="submit run status await wait result is-done is-cancelled is-failed logs events cancel
    retry rm group functions health help"

# What -o of a verb takes.
_aioctl_formats()
{
    case $1 in
    status | ps | ls) echo "table wide id json jsonl" ;;
    submit | retry) echo "id json jsonl" ;;
    group | groups | functions) echo "table id json jsonl" ;;
    events | health) echo "table json jsonl" ;;
    *) echo "json jsonl" ;;
    esac
}

# Offers those of the words that begin like the current one.
_aioctl_offer()
{
    local word
    for word in "$@"; do
        [[ $word == "$_aioctl_cur"* ]] && COMPREPLY+=("$word")
    done
}

# Asks the event loop that the command line means, and offers the lines of the answer.
_aioctl_ask()
{
    local line timeout=()
    type -P timeout >/dev/null && timeout=(timeout 2)
    while IFS= read -r line; do
        [[ -n $line && $line == "$_aioctl_cur"* ]] || continue
        printf -v line %q "$line"
        COMPREPLY+=("$line")
    done < <(AIOD_NO_START=1 "${timeout[@]}" "$_aioctl_program" "${_aioctl_where[@]}" "$@" \
        2>/dev/null </dev/null)
}

# Files, or with -d directories.
_aioctl_files()
{
    local cur=$_aioctl_cur word
    if [[ $(type -t _filedir) == function ]]; then
        if [[ $1 == -d ]]; then _filedir -d; else _filedir; fi
        return
    fi
    compopt -o filenames 2>/dev/null # readline quotes them, and puts a slash behind directories
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(compgen "$1" -- "$cur")
}

# The command behind submit and run: at its first word a program, then whatever it takes.
_aioctl_command()
{
    local first=$1 word
    if [[ $(type -t _command_offset) == function ]]; then
        _command_offset "${_aioctl_began[first]}"
        return
    fi
    if ((_aioctl_at > first)) || [[ $_aioctl_cur == */* || $_aioctl_cur == [.~]* ]]; then
        _aioctl_files -f
        return
    fi
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(compgen -c -- "$_aioctl_cur" | sort -u)
}

# The argument of an option.
_aioctl_argument()
{
    local before
    case $1 in
    --group | -g) _aioctl_ask group -o id ;;
    --call) _aioctl_ask functions -o id ;;
    --output | -o)
        # shellcheck disable=SC2046
        _aioctl_offer $(_aioctl_formats "$2") ;;
    --color) _aioctl_offer auto always never ;;
    --state | -s)
        before=${_aioctl_cur%"${_aioctl_cur##*,}"} # "running,"
        _aioctl_offer "${before}pending" "${before}running" "${before}suspended" "${before}done" ;;
    --since | --until) _aioctl_offer 10m 1h 1d 7d today yesterday ;;
    --socket | --stdin) _aioctl_files -f ;;
    --cwd) _aioctl_files -d ;;
    esac
}

# The words of a verb that are no options; $2: how many stand before this one.
_aioctl_word()
{
    case $1 in
    status | ps | ls | logs | events | is-done | is-cancelled | is-failed)
        _aioctl_offer last all
        _aioctl_ask status -o id ;;
    await | wait | cancel)
        _aioctl_offer last all
        _aioctl_ask status --live -o id ;;
    result | retry | rm)
        _aioctl_offer last
        _aioctl_ask status --done -o id ;;
    group | groups)
        if (($2 == 0)); then
            _aioctl_offer list new set pause resume rm
        elif [[ $3 != new && $3 != list ]]; then
            _aioctl_ask group -o id
        fi ;;
    functions) (($2 == 0)) && _aioctl_ask functions -o id ;;
    help)
        # shellcheck disable=SC2086
        (($2 == 0)) && _aioctl_offer $_aioctl_verbs asyncio ;;
    esac
}

# Puts together what readline takes apart at "=" and ":": "--state=run", "name:1". Sets
# _aioctl_words, where each began in COMP_WORDS, and the place of the current one.
_aioctl_join_words()
{
    local i word line=$COMP_LINE
    _aioctl_words=()
    _aioctl_began=()
    for ((i = 0; i < ${#COMP_WORDS[@]}; i++)); do
        word=${COMP_WORDS[i]}
        if ((${#_aioctl_words[@]} > 1)) && [[ $line != [[:space:]]* ]] &&
            [[ $word == [=:]* || ${_aioctl_words[-1]} == *[=:] ]]; then
            _aioctl_words[-1]+=$word
        else
            line=${line#"${line%%[![:space:]]*}"}
            _aioctl_words+=("$word")
            _aioctl_began+=("$i")
        fi
        line=${line#"$word"}
        ((i == COMP_CWORD)) && _aioctl_at=$((${#_aioctl_words[@]} - 1))
    done
}

# Whether an option of the verb takes its argument from the next word.
_aioctl_takes()
{
    local options
    options=" $(_aioctl_options "$2") "
    options=${options//$'\n'/ }
    case $1 in
    --*=*) return 1 ;;
    --*) [[ $options == *" $1= "* ]] ;;
    -[a-z]) [[ $options == *"= $1 "* ]] ;; # a letter stands behind its name
    *) return 1 ;;
    esac
}

# Quotes and backslashes taken away, without expanding anything.
_aioctl_plain()
{
    local word=${1//[\"\'\\]/}
    echo "${word/#\~/$HOME}"
}

# Looks at the words in front of the current one. Sets the verb, the option whose argument comes
# next (taken), how many words of the verb there are and the first of them, where the event loop
# is, and where the command of submit and run begins.
_aioctl_scan()
{
    local i word
    for ((i = 1; i < _aioctl_at; i++)); do
        word=${_aioctl_words[i]}
        if [[ -n $taken ]]; then
            [[ $taken == --socket ]] && _aioctl_where+=(--socket "$(_aioctl_plain "$word")")
            taken=""
        elif [[ -z $ended && $word == -?* ]]; then
            [[ $word == -- ]] && ended=1
            [[ $word == --user || $word == --system ]] && _aioctl_where+=("$word")
            [[ $word == --socket=* ]] && _aioctl_where+=("$(_aioctl_plain "$word")")
            [[ $word == --call* || $word == --command* || $word == -c* ]] && called=1
            _aioctl_takes "$word" "$verb" && taken=$word
        elif [[ -z $verb ]]; then
            verb=$word
        else
            ((count++ == 0)) && first=$word
            [[ $verb == submit || $verb == run ]] && break
        fi
    done
    [[ $verb == submit || $verb == run ]] && [[ -z $taken ]] &&
        [[ $count -gt 0 || -n $ended || $_aioctl_cur != -* ]] && command=$i
}

_aioctl()
{
    local _aioctl_program _aioctl_cur _aioctl_at=0 _aioctl_words _aioctl_began _aioctl_where=()
    local verb="" taken="" ended="" called="" first="" command="" count=0 word
    _aioctl_program=$(_aioctl_plain "$1")
    _aioctl_join_words
    _aioctl_cur=${_aioctl_words[_aioctl_at]}
    _aioctl_scan
    if [[ -n $command ]]; then
        [[ -n $called ]] || _aioctl_command "$command"
        return
    fi
    if [[ -n $taken ]]; then
        _aioctl_argument "$taken" "$verb"
    elif [[ -z $ended && $_aioctl_cur == --*=* ]]; then
        word=${_aioctl_cur%%=*}
        _aioctl_cur=${_aioctl_cur#*=}
        _aioctl_argument "$word" "$verb"
    elif [[ -z $ended && $_aioctl_cur == -* ]]; then
        for word in $(_aioctl_options "$verb"); do
            _aioctl_offer "${word%=}"
        done
    elif [[ -z $verb ]]; then
        # shellcheck disable=SC2086
        _aioctl_offer $_aioctl_verbs
    else
        _aioctl_word "$verb" "$count" "$first"
    fi
    if [[ $_aioctl_cur == *:* && $COMP_WORDBREAKS == *:* ]]; then
        word=${_aioctl_cur%"${_aioctl_cur##*:}"} # readline replaces only what is behind it
        COMPREPLY=("${COMPREPLY[@]#"$word"}")
    fi
}

complete -F _aioctl aioctl
