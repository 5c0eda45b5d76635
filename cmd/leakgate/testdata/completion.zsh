#compdef leakgate
# zsh completion for leakgate
_leakgate() {
    local at='' w skip='' i folders=''
    local -a words_ flags_
    for ((i = 2; i < CURRENT; i++)); do
        w=${words[i]}
        if [[ -n $skip ]]; then skip=''; continue; fi
        case $w in
        --) return ;;
        -allow-dial|--allow-dial|-kinds|--kinds|-expires|--expires|-owner|--owner|-reason|--reason|-o|--o|-keep|--keep|-root|--root|-from|--from|-format|--format|-baseline|--baseline) skip=1 ;;
        -*) ;;
        *) case "$at $w" in
           " demo") at="demo" ;;
           " test") at="test" ;;
           " report") at="report" ;;
           " baseline") at="baseline" ;;
           " baseline accept") at="baseline accept" ;;
           "baseline accept") at="baseline accept" ;;
           " baseline prune") at="baseline prune" ;;
           "baseline prune") at="baseline prune" ;;
           " baseline check") at="baseline check" ;;
           "baseline check") at="baseline check" ;;
           " completion") at="completion" ;;
           " help") at="help" ;;
           " version") at="version" ;;
           esac ;;
        esac
    done
    if [[ -n $skip ]]; then
        case ${words[CURRENT-1]} in
        -format|--format) compadd -- text json sarif gitlab github junit html ;;
        -o|--o) _files ;;
        -baseline|--baseline) compadd -- off; _files ;;
        -keep|--keep|-root|--root|-from|--from) _files -/ ;;
        esac
        return
    fi
    case $at in
    "")
        folders=""
        words_=(
            'demo:watch leaks of HTTP and database connections being caught, by go test, on this machine'
            'test:run go test with every leak in it given a line, with no change to the code'
            'report:merge what test runs wrote down into one verdict: text, HTML, SARIF, GitHub, GitLab, JUnit'
            'baseline:keep the list of the leaks that were there before: accept, prune, check'
            'completion:print the script that completes these words in bash, zsh, fish or PowerShell'
            'help:show this text, or that of one command: leakgate help demo'
            'version:print the version')
        flags_=() ;;
    "demo")
        folders=""
        words_=()
        flags_=(
            '-deep:show deep mode: the same code, and tests that have no harness in them'
            '-keep:write the module to DIR and leave it there'
            '-v:also show the commands and everything that go test printed'
            '-h:show the help') ;;
    "test")
        folders="packages"
        words_=()
        flags_=(
            '-allow-dial:as -deny-dial, but allow these HOSTS and the tests'\'' own listeners alone, separated by commas: db.internal:5432, 10.0.0.0/8, *.example.com, loopback, unix, own, ...'
            '-baseline:leaks that are listed in FILE fail nothing'
            '-deny-dial:fail what dials anything but loopback, unix sockets and the tests'\'' own listeners'
            '-kinds:look at these KINDS alone, separated by commas: file, socket, http-response, sql-rows, ...'
            '-report:tell leaks in the tests'\'' output, shown with -v, and fail nothing'
            '-h:show the help') ;;
    "report")
        folders="folders"
        words_=()
        flags_=(
            '-all:text: show every leak, and not the worst alone'
            '-baseline:read the known leaks from FILE'
            '-format:write as NAME: text, json, sarif, gitlab, github, junit, html'
            '-json:the same as -format json'
            '-o:write to FILE, too'
            '-root:take DIR for the repository'\''s root'
            '-h:show the help') ;;
    "baseline")
        folders=""
        words_=(
            'accept:write down what leaks now'
            'prune:take out what is gone'
            'check:say whether the list is what the tests leak')
        flags_=(
            '-h:show the help') ;;
    "baseline accept")
        folders="packages"
        words_=()
        flags_=(
            '-baseline:keep the list in FILE'
            '-deep:run the tests as leakgate test does, which needs no harness in the code'
            '-dry-run:the same as -n'
            '-expires:let what is new fail again from DATE on, such as 2027-01-31'
            '-from:judge the fragments in DIR, and run nothing'
            '-json:write one JSON object to standard output, for programs'
            '-n:only show what would change'
            '-owner:write NAME as the one who takes care of what is new'
            '-reason:write TEXT as the reason why what is new may stay'
            '-root:take DIR for the repository'\''s root, from which -from finds the modules'
            '-v:also show what go test prints, on standard error'
            '-h:show the help') ;;
    "baseline prune")
        folders="packages"
        words_=()
        flags_=(
            '-baseline:keep the list in FILE'
            '-deep:run the tests as leakgate test does, which needs no harness in the code'
            '-dry-run:the same as -n'
            '-from:judge the fragments in DIR, and run nothing'
            '-json:write one JSON object to standard output, for programs'
            '-n:only show what would change'
            '-root:take DIR for the repository'\''s root, from which -from finds the modules'
            '-v:also show what go test prints, on standard error'
            '-h:show the help') ;;
    "baseline check")
        folders="packages"
        words_=()
        flags_=(
            '-baseline:keep the list in FILE'
            '-deep:run the tests as leakgate test does, which needs no harness in the code'
            '-from:judge the fragments in DIR, and run nothing'
            '-json:write one JSON object to standard output, for programs'
            '-root:take DIR for the repository'\''s root, from which -from finds the modules'
            '-v:also show what go test prints, on standard error'
            '-h:show the help') ;;
    "completion")
        folders=""
        words_=(
            'bash:the script for bash'
            'zsh:the script for zsh'
            'fish:the script for fish'
            'powershell:the script for powershell')
        flags_=(
            '-h:show the help') ;;
    "help")
        folders=""
        words_=(
            'demo:watch leaks of HTTP and database connections being caught, by go test, on this machine'
            'test:run go test with every leak in it given a line, with no change to the code'
            'report:merge what test runs wrote down into one verdict: text, HTML, SARIF, GitHub, GitLab, JUnit'
            'baseline:keep the list of the leaks that were there before: accept, prune, check'
            'completion:print the script that completes these words in bash, zsh, fish or PowerShell'
            'help:show this text, or that of one command: leakgate help demo'
            'version:print the version')
        flags_=(
            '-h:show the help') ;;
    "version")
        folders=""
        words_=()
        flags_=(
            '-h:show the help') ;;
    esac
    if [[ ${words[CURRENT]} == --* ]]; then
        flags_=(-${^flags_})
    fi
    if [[ ${words[CURRENT]} == -* ]]; then
        _describe -o flag flags_
    elif [[ -n $folders ]]; then
        _files -/
    else
        _describe command words_
    fi
}
if [[ $funcstack[1] == _leakgate ]]; then
    _leakgate "$@"
else
    compdef _leakgate leakgate
fi
