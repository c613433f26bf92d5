# bash completion for guestinit(1)

_guestinit()
{
    local cur prev words cword
    if declare -F _comp_initialize >/dev/null; then
        _comp_initialize || return
    else
        _init_completion || return
    fi

    case $prev in
        --seed) _filedir; return ;;
        --root | --output) _filedir -d; return ;;
        --format) COMPREPLY=($(compgen -W 'text json' -- "$cur")); return ;;
        --stage) COMPREPLY=($(compgen -W 'local network late final' -- "$cur")); return ;;
        --renderer) COMPREPLY=($(compgen -W 'networkd network-manager netplan ifupdown' -- "$cur")); return ;;
        --input-format) COMPREPLY=($(compgen -W 'v1 v2 openstack eni' -- "$cur")); return ;;
        --nic | --timeout) return ;;
        --again)
            COMPREPLY=($(compgen -W 'random_seed host_keys accounts ssh_keys passwords password_reset hostname machine_id network timezone locale
                bootcmd grow packages files runcmd' -- "$cur"))
            return ;;
    esac

    local i command=
    for ((i = 1; i < cword; i++)); do
        case ${words[i]} in
            --seed | --root | --format) ((i++)) ;;
            -*) ;;
            *) command=${words[i]}; break ;;
        esac
    done

    local choices
    case $command in
        '') choices='apply check clean net run status --dry-run --seed --root --format --strict --text --help --version' ;;
        apply) choices='--dry-run --seed --root --format --strict --text --again --help' ;;
        check) [[ $cur == -* ]] || { _filedir; return; }; choices='--format --help' ;;
        clean) choices='--dry-run --logs --machine-id --root --help' ;;
        net)
            if [[ ${words[i + 1]} == render && $((i + 1)) -lt $cword ]]; then
                [[ $cur == -* ]] || { _filedir; return; }
                choices='--renderer --output --input-format --nic --help'
            elif [[ ${words[i + 1]} == undo && $((i + 1)) -lt $cword ]]; then
                choices='--dry-run --root --help'
            else
                choices='render undo --help'
            fi ;;
        run) choices='--stage --help' ;;
        status) choices='--wait --timeout --long --format --help' ;;
        *) return ;;
    esac
    COMPREPLY=($(compgen -W "$choices" -- "$cur"))
} &&
    complete -F _guestinit guestinit
