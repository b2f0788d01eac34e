using System.Net;

namespace Ebpf.Cni.Kubernetes.Watching;

/// <summary>How to go on after a failure.</summary>
internal enum Remedy
{
    /// <summary>The data is not in question: back off and try the same again.</summary>
    Resume,

    /// <summary>The server answers, but is not well (5xx). If only its watches fail, list again.</summary>
    Unwell,

    /// <summary>Not understood: go on from the last version, and list again if that keeps failing.</summary>
    Doubt,

    /// <summary>The watch cannot go on from this version (410 and its kin): list again, nothing older than this version.</summary>
    Relist,

    /// <summary>The version itself is in question, the server's or ours: list the present state, whatever its version.</summary>
    RelistAnew,
}

/// <summary>The API server, or the connection to it, failed. Nothing that throws this has changed the store.</summary>
internal sealed class ApiFailureException(string message, Remedy remedy, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>
    /// Reason of the cause in a 504, and the beginning of its message (k8s.io/apiserver/pkg/storage, NewTooLargeResourceVersionError).
    /// </summary>
    private const string TooLargeReason = "ResourceVersionTooLarge";
    private const string TooLargeMessage = "Too large resource version";

    public Remedy Remedy { get; } = remedy;
    public HttpStatusCode? Status { get; init; }

    /// <summary>The server's wish (Retry-After); honoured as a minimum.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>How long nothing was heard; null: that was not the failure.</summary>
    public TimeSpan? Silence { get; init; }

    /// <summary>What the code, reason and message of a refusal or ERROR event mean for a list or watch.</summary>
    public static Remedy RemedyFor(int code, string? reason, string? message, IEnumerable<string?>? causes)
    {
        if (code == 410 || reason is "Expired" or "Gone")
            return Remedy.Relist;
        if (causes?.Contains(TooLargeReason) == true || message?.Contains(TooLargeMessage, StringComparison.Ordinal) == true)
            return Remedy.RelistAnew;
        return code switch
        {
            401 or 403 or 429 => Remedy.Resume,
            408 or >= 500 => Remedy.Unwell,
            _ => Remedy.Doubt,
        };
    }
}
