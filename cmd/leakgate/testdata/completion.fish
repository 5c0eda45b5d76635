# fish completion for leakgate
function __leakgate_at
    set -l path
    set -l skip 0
    set -l words (commandline -opc)
    for w in $words[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $w
            case '--'
                return 1
            case '-expires' '--expires' '-owner' '--owner' '-reason' '--reason' '-o' '--o' '-keep' '--keep' '-root' '--root' '-from' '--from' '-format' '--format' '-baseline' '--baseline'
                set skip 1
            case '-*'
            case '*'
                switch "$path $w"
                    case ' demo'
                        set path 'demo'
                    case ' report'
                        set path 'report'
                    case ' baseline'
                        set path 'baseline'
                    case ' baseline accept' 'baseline accept'
                        set path 'baseline accept'
                    case ' baseline prune' 'baseline prune'
                        set path 'baseline prune'
                    case ' baseline check' 'baseline check'
                        set path 'baseline check'
                    case ' completion'
                        set path 'completion'
                    case ' help'
                        set path 'help'
                    case ' version'
                        set path 'version'
                end
        end
    end
    test "$path" = "$argv[1]"
end
complete -c leakgate -f
complete -c leakgate -n '__leakgate_at \'\'' -a 'demo' -d 'watch leaks of HTTP and database connections being caught, by go test, on this machine'
complete -c leakgate -n '__leakgate_at \'\'' -a 'report' -d 'merge what test runs wrote down into one verdict: text, HTML, SARIF, GitHub, GitLab, JUnit'
complete -c leakgate -n '__leakgate_at \'\'' -a 'baseline' -d 'keep the list of the leaks that were there before: accept, prune, check'
complete -c leakgate -n '__leakgate_at \'\'' -a 'completion' -d 'print the script that completes these words in bash, zsh, fish or PowerShell'
complete -c leakgate -n '__leakgate_at \'\'' -a 'help' -d 'show this text, or that of one command: leakgate help demo'
complete -c leakgate -n '__leakgate_at \'\'' -a 'version' -d 'print the version'
complete -c leakgate -n '__leakgate_at \'demo\'' -o keep -x -a '(__fish_complete_directories)' -d 'write the module to DIR and leave it there'
complete -c leakgate -n '__leakgate_at \'demo\'' -o v -d 'also show the commands and everything that go test printed'
complete -c leakgate -n '__leakgate_at \'demo\'' -o h -d 'show the help'
complete -c leakgate -n '__leakgate_at \'report\'' -a '(__fish_complete_directories)'
complete -c leakgate -n '__leakgate_at \'report\'' -o all -d 'text: show every leak, and not the worst alone'
complete -c leakgate -n '__leakgate_at \'report\'' -o baseline -r -F -a off -d 'read the known leaks from FILE'
complete -c leakgate -n '__leakgate_at \'report\'' -o format -x -a 'text json sarif gitlab github junit html' -d 'write as NAME: text, json, sarif, gitlab, github, junit, html'
complete -c leakgate -n '__leakgate_at \'report\'' -o json -d 'the same as -format json'
complete -c leakgate -n '__leakgate_at \'report\'' -o o -r -F -d 'write to FILE, too'
complete -c leakgate -n '__leakgate_at \'report\'' -o root -x -a '(__fish_complete_directories)' -d 'take DIR for the repository\'s root'
complete -c leakgate -n '__leakgate_at \'report\'' -o h -d 'show the help'
complete -c leakgate -n '__leakgate_at \'baseline\'' -a 'accept' -d 'write down what leaks now'
complete -c leakgate -n '__leakgate_at \'baseline\'' -a 'prune' -d 'take out what is gone'
complete -c leakgate -n '__leakgate_at \'baseline\'' -a 'check' -d 'say whether the list is what the tests leak'
complete -c leakgate -n '__leakgate_at \'baseline\'' -o h -d 'show the help'
complete -c leakgate -n '__leakgate_at \'baseline accept\'' -a '(__fish_complete_directories)'
complete -c leakgate -n '__leakgate_at \'baseline accept\'' -o baseline -r -F -a off -d 'keep the list in FILE'
complete -c leakgate -n '__leakgate_at \'baseline accept\'' -o dry-run -d 'the same as -n'
complete -c leakgate -n '__leakgate_at \'baseline accept\'' -o expires -x -d 'let what is new fail again from DATE on, such as 2027-01-31'
complete -c leakgate -n '__leakgate_at \'baseline accept\'' -o from -x -a '(__fish_complete_directories)' -d 'judge the fragments in DIR, and run nothing'
complete -c leakgate -n '__leakgate_at \'baseline accept\'' -o json -d 'write one JSON object to standard output, for programs'
complete -c leakgate -n '__leakgate_at \'baseline accept\'' -o n -d 'only show what would change'
complete -c leakgate -n '__leakgate_at \'baseline accept\'' -o owner -x -d 'write NAME as the one who takes care of what is new'
complete -c leakgate -n '__leakgate_at \'baseline accept\'' -o reason -x -d 'write TEXT as the reason why what is new may stay'
complete -c leakgate -n '__leakgate_at \'baseline accept\'' -o root -x -a '(__fish_complete_directories)' -d 'take DIR for the repository\'s root, from which -from finds the modules'
complete -c leakgate -n '__leakgate_at \'baseline accept\'' -o v -d 'also show what go test prints, on standard error'
complete -c leakgate -n '__leakgate_at \'baseline accept\'' -o h -d 'show the help'
complete -c leakgate -n '__leakgate_at \'baseline prune\'' -a '(__fish_complete_directories)'
complete -c leakgate -n '__leakgate_at \'baseline prune\'' -o baseline -r -F -a off -d 'keep the list in FILE'
complete -c leakgate -n '__leakgate_at \'baseline prune\'' -o dry-run -d 'the same as -n'
complete -c leakgate -n '__leakgate_at \'baseline prune\'' -o from -x -a '(__fish_complete_directories)' -d 'judge the fragments in DIR, and run nothing'
complete -c leakgate -n '__leakgate_at \'baseline prune\'' -o json -d 'write one JSON object to standard output, for programs'
complete -c leakgate -n '__leakgate_at \'baseline prune\'' -o n -d 'only show what would change'
complete -c leakgate -n '__leakgate_at \'baseline prune\'' -o root -x -a '(__fish_complete_directories)' -d 'take DIR for the repository\'s root, from which -from finds the modules'
complete -c leakgate -n '__leakgate_at \'baseline prune\'' -o v -d 'also show what go test prints, on standard error'
complete -c leakgate -n '__leakgate_at \'baseline prune\'' -o h -d 'show the help'
complete -c leakgate -n '__leakgate_at \'baseline check\'' -a '(__fish_complete_directories)'
complete -c leakgate -n '__leakgate_at \'baseline check\'' -o baseline -r -F -a off -d 'keep the list in FILE'
complete -c leakgate -n '__leakgate_at \'baseline check\'' -o from -x -a '(__fish_complete_directories)' -d 'judge the fragments in DIR, and run nothing'
complete -c leakgate -n '__leakgate_at \'baseline check\'' -o json -d 'write one JSON object to standard output, for programs'
complete -c leakgate -n '__leakgate_at \'baseline check\'' -o root -x -a '(__fish_complete_directories)' -d 'take DIR for the repository\'s root, from which -from finds the modules'
complete -c leakgate -n '__leakgate_at \'baseline check\'' -o v -d 'also show what go test prints, on standard error'
complete -c leakgate -n '__leakgate_at \'baseline check\'' -o h -d 'show the help'
complete -c leakgate -n '__leakgate_at \'completion\'' -a 'bash' -d 'the script for bash'
complete -c leakgate -n '__leakgate_at \'completion\'' -a 'zsh' -d 'the script for zsh'
complete -c leakgate -n '__leakgate_at \'completion\'' -a 'fish' -d 'the script for fish'
complete -c leakgate -n '__leakgate_at \'completion\'' -a 'powershell' -d 'the script for powershell'
complete -c leakgate -n '__leakgate_at \'completion\'' -o h -d 'show the help'
complete -c leakgate -n '__leakgate_at \'help\'' -a 'demo' -d 'watch leaks of HTTP and database connections being caught, by go test, on this machine'
complete -c leakgate -n '__leakgate_at \'help\'' -a 'report' -d 'merge what test runs wrote down into one verdict: text, HTML, SARIF, GitHub, GitLab, JUnit'
complete -c leakgate -n '__leakgate_at \'help\'' -a 'baseline' -d 'keep the list of the leaks that were there before: accept, prune, check'
complete -c leakgate -n '__leakgate_at \'help\'' -a 'completion' -d 'print the script that completes these words in bash, zsh, fish or PowerShell'
complete -c leakgate -n '__leakgate_at \'help\'' -a 'help' -d 'show this text, or that of one command: leakgate help demo'
complete -c leakgate -n '__leakgate_at \'help\'' -a 'version' -d 'print the version'
complete -c leakgate -n '__leakgate_at \'help\'' -o h -d 'show the help'
complete -c leakgate -n '__leakgate_at \'version\'' -o h -d 'show the help'
