# bash completion for leakgate
_leakgate_files() {
    [[ -n $1 ]] || return
    local IFS=$'\n' # names may have blanks
    compopt -o filenames 2>/dev/null
    COMPREPLY+=($(compgen "$1" -- "$cur"))
}
_leakgate() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev='' path='' words='' flags='' folders='' files='' i w skip=''
    COMPREPLY=()
    ((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD-1]}
    for ((i = 1; i < COMP_CWORD; i++)); do
        w=${COMP_WORDS[i]}
        if [[ -n $skip ]]; then skip=''; continue; fi
        case $w in
        --) return ;;
        -allow-dial|--allow-dial|-kinds|--kinds|-expires|--expires|-owner|--owner|-reason|--reason|-o|--o|-keep|--keep|-root|--root|-from|--from|-format|--format|-baseline|--baseline) skip=1 ;;
        -*) ;;
        *) case "$path $w" in
           " demo") path="demo" ;;
           " test") path="test" ;;
           " report") path="report" ;;
           " baseline") path="baseline" ;;
           " baseline accept") path="baseline accept" ;;
           "baseline accept") path="baseline accept" ;;
           " baseline prune") path="baseline prune" ;;
           "baseline prune") path="baseline prune" ;;
           " baseline check") path="baseline check" ;;
           "baseline check") path="baseline check" ;;
           " completion") path="completion" ;;
           " help") path="help" ;;
           " version") path="version" ;;
           esac ;;
        esac
    done
    if [[ -n $skip ]]; then
        case $prev in
        -format|--format) COMPREPLY=($(compgen -W "text json sarif gitlab github junit html" -- "$cur")) ;;
        -o|--o) files=-f ;;
        -baseline|--baseline) files=-f COMPREPLY=($(compgen -W off -- "$cur")) ;;
        -keep|--keep|-root|--root|-from|--from) files=-d ;;
        esac
        _leakgate_files $files
        return
    fi
    case $path in
    "") words="demo test report baseline completion help version" flags="" folders="" ;;
    "demo") words="" flags="-deep -keep -v -h" folders="" ;;
    "test") words="" flags="-allow-dial -baseline -deny-dial -kinds -report -h" folders="packages" ;;
    "report") words="" flags="-all -baseline -format -json -o -root -h" folders="folders" ;;
    "baseline") words="accept prune check" flags="-h" folders="" ;;
    "baseline accept") words="" flags="-baseline -deep -dry-run -expires -from -json -n -owner -reason -root -v -h" folders="packages" ;;
    "baseline prune") words="" flags="-baseline -deep -dry-run -from -json -n -root -v -h" folders="packages" ;;
    "baseline check") words="" flags="-baseline -deep -from -json -root -v -h" folders="packages" ;;
    "completion") words="bash zsh fish powershell" flags="-h" folders="" ;;
    "help") words="demo test report baseline completion help version" flags="-h" folders="" ;;
    "version") words="" flags="-h" folders="" ;;
    esac
    if [[ $cur == --* ]]; then
        flags=" $flags"
        COMPREPLY=($(compgen -W "${flags// -/ --}" -- "$cur"))
    elif [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W "$flags" -- "$cur"))
    elif [[ -n $folders ]]; then
        _leakgate_files -d
    else
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
    fi
}
complete -F _leakgate leakgate
