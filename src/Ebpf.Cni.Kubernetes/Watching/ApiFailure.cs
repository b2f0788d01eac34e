using System.Net;

namespace Ebpf.Cni.Kubernetes.Watching;

/// <summary>How to go on after a failure.</summary>
internal enum Remedy
{
    /// <summary>The data is not in question: back off and go on from the last version.</summary>
    Resume,

    /// <summary>Not understood: go on from the last version, and list again if that keeps failing.</summary>
    ResumeThenRelist,

    /// <summary>The version is of no use any more (410 and its kin): list again.</summary>
    Relist,
}

/// <summary>The API server, or the way to it, failed. Nothing that throws this has changed the store.</summary>
internal sealed class ApiFailureException(string message, Remedy remedy, Exception? cause = null) : Exception(message, cause)
{
    public Remedy Remedy { get; } = remedy;
    public HttpStatusCode? Status { get; init; }

    /// <summary>For how long nothing came, where that alone was wrong.</summary>
    public TimeSpan? Silence { get; init; }

    /// <summary>The server's wish (Retry-After); honoured as a minimum.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>What an HTTP or ERROR-event status means for a list or watch.</summary>
    public static Remedy RemedyFor(int code) => code switch
    {
        410 => Remedy.Relist,
        401 or 403 or 408 or 429 or >= 500 => Remedy.Resume,
        _ => Remedy.ResumeThenRelist,
    };
}
