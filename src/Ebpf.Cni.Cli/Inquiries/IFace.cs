using System.CommandLine;

namespace Ebpf.Cni.Cli.Inquiries;

/// <summary>The program under one of its names: the same commands, put to different respondents.</summary>
internal interface IFace
{
    /// <summary>As it is typed; begins messages.</summary>
    string Name { get; }

    string Description { get; }

    /// <summary>What exit code 1 stands for.</summary>
    string FailureMeans { get; }

    /// <summary>Options of this face alone, for every command.</summary>
    IReadOnlyList<Option> Options { get; }

    IRespondent Respondent(ParseResult parsed);
}
