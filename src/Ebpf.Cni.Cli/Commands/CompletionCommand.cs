using System.CommandLine;

namespace Ebpf.Cni.Cli.Commands;

/// <summary>completion bash|zsh: a script by which the shell completes ecni.</summary>
internal sealed class CompletionCommand : Command
{
    private const string Bash = """
        # bash completion for ecni: source <(ecni completion bash)
        _ecni() {
            local line
            COMPREPLY=()
            while IFS= read -r line; do
                line=${line%%$'\t'*}
                [[ $line == :* ]] || COMPREPLY+=("$line")
            done < <("${COMP_WORDS[0]}" __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
        }
        complete -o default -F _ecni ecni

        """;

    private const string Zsh = """
        #compdef ecni
        # zsh completion for ecni: source <(ecni completion zsh), or write it to a file _ecni in $fpath
        _ecni() {
            local line
            local -a found
            while IFS= read -r line; do
                [[ $line == :* ]] && continue
                line=${line//:/\\:}
                found+=("${line/$'\t'/:}")
            done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
            (( ${#found} )) && _describe -V ecni found || _files
        }
        if [[ ${funcstack[1]} == _ecni ]]; then
            _ecni "$@"
        else
            compdef _ecni ecni
        fi

        """;

    public CompletionCommand() : base("completion", "completion bash, completion zsh: a script for the shell")
    {
        Subcommands.Add(Script("bash", Bash));
        Subcommands.Add(Script("zsh", Zsh));
    }

    private static Command Script(string shell, string text)
    {
        var command = new Command(shell, $"completion for {shell}");
        command.SetAction(parsed => parsed.InvocationConfiguration.Output.Write(text));
        return command;
    }
}
