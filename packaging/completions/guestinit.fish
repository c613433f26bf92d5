# fish completion for guestinit(1)

set -g __guestinit_modules random_seed host_keys accounts ssh_keys passwords password_reset hostname machine_id network timezone locale bootcmd grow \
    packages files runcmd
set -l commands apply check clean net run status

complete -c guestinit -f
complete -c guestinit -s h -l help -d 'Help'
complete -c guestinit -n "not __fish_seen_subcommand_from $commands" -l version -d 'The version'

complete -c guestinit -n "not __fish_seen_subcommand_from $commands" -a apply -d 'Do it now, here or on a mounted image'
complete -c guestinit -n "not __fish_seen_subcommand_from $commands" -a check -d 'Print every problem of these documents'
complete -c guestinit -n "not __fish_seen_subcommand_from $commands" -a clean -d 'Forget this instance'
complete -c guestinit -n "not __fish_seen_subcommand_from $commands" -a net -d 'Translate a network configuration'
complete -c guestinit -n "not __fish_seen_subcommand_from $commands" -a run -d 'What the units call'
complete -c guestinit -n "not __fish_seen_subcommand_from $commands" -a status -d 'How the last run ended'

set -l previews "not __fish_seen_subcommand_from check clean net run status"
complete -c guestinit -n "$previews" -l dry-run -d 'Show what would change, touch nothing'
complete -c guestinit -n "$previews" -l seed -r -F -d 'A seed directory or ISO file'
complete -c guestinit -n "$previews" -l text -d 'Show the text of commands and of files that others may not read'
complete -c guestinit -n "not __fish_seen_subcommand_from check net run status" -l root -x -a '(__fish_complete_directories)' -d 'The system to look at or to change'
complete -c guestinit -n "$previews" -l strict -d 'Refuse everything if the input has a problem'
complete -c guestinit -n "not __fish_seen_subcommand_from clean net run" -l format -x -a 'text json' -d 'How to print'
complete -c guestinit -n '__fish_seen_subcommand_from apply' -l again -x -a '$__guestinit_modules' -d 'Run these modules once more'

complete -c guestinit -n '__fish_seen_subcommand_from check' -F

complete -c guestinit -n '__fish_seen_subcommand_from clean' -l dry-run -d 'Show what would be removed'
complete -c guestinit -n '__fish_seen_subcommand_from clean' -l logs -d 'Remove the log too'
complete -c guestinit -n '__fish_seen_subcommand_from clean' -l machine-id -d 'Empty /etc/machine-id too'

set -l render '__fish_seen_subcommand_from render'
set -l undo '__fish_seen_subcommand_from undo'
complete -c guestinit -n "__fish_seen_subcommand_from net; and not $render; and not $undo" -a render -d 'Write the files of one network manager'
complete -c guestinit -n "__fish_seen_subcommand_from net; and not $render; and not $undo" -a undo -d 'Put the earlier network files back'
complete -c guestinit -n "$undo" -l dry-run -d 'Show what would change'
complete -c guestinit -n "$undo" -l root -x -a '(__fish_complete_directories)' -d 'The system to change'
complete -c guestinit -n "$render" -F
complete -c guestinit -n "$render" -l renderer -x -a 'networkd network-manager netplan ifupdown' -d 'Network manager to write for'
complete -c guestinit -n "$render" -l output -x -a '(__fish_complete_directories)' -d 'Where to write'
complete -c guestinit -n "$render" -l input-format -x -a 'v1 v2 openstack eni' -d 'Format of the file'
complete -c guestinit -n "$render" -l nic -x -d 'NAME=MAC: a network interface of the machine'

complete -c guestinit -n '__fish_seen_subcommand_from run' -l stage -x -a 'local network late final' -d 'Stage'

complete -c guestinit -n '__fish_seen_subcommand_from status' -l wait -d 'Wait until the run has ended'
complete -c guestinit -n '__fish_seen_subcommand_from status' -l long -d 'Sources, modules, commands and problems too'
complete -c guestinit -n '__fish_seen_subcommand_from status' -l timeout -x -d 'Seconds to wait at most'
