using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text.Json;
using Ebpf.Cni.Kubernetes.Decoding;
using Ebpf.Cni.Kubernetes.Decoding.Wire;

namespace Ebpf.Cni.Kubernetes.Watching;

/// <summary>GET, with everything that can go wrong outside of our own code turned into an <see cref="ApiFailureException"/>.</summary>
internal sealed class ApiReader(HttpClient http, TimeProvider time)
{
    private const int LongestErrorBody = 64 << 10;
    private static readonly TimeSpan ErrorBodySilence = TimeSpan.FromSeconds(5);

    /// <param name="path">Relative path and query.</param>
    /// <param name="silence">How long the server may say nothing.</param>
    /// <param name="read">Reads the body of a 200; gets the guard to notify it of arriving bytes.</param>
    /// <param name="ct">The caller's end, the only cause of <see cref="OperationCanceledException"/>.</param>
    /// <exception cref="ApiFailureException">Anything else.</exception>
    public async Task<TResult> GetAsync<TResult>(
        string path, TimeSpan silence, Func<Stream, SilenceGuard, Task<TResult>> read, CancellationToken ct)
    {
        using var guard = new SilenceGuard(silence, time, ct);
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path)
            {
                Version = http.DefaultRequestVersion,
                VersionPolicy = http.DefaultVersionPolicy,
            };
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, guard.Token).ConfigureAwait(false);
            guard.Heard();
            var body = await response.Content.ReadAsStreamAsync(guard.Token).ConfigureAwait(false);
            await using (body.ConfigureAwait(false))
            {
                if (response.StatusCode != HttpStatusCode.OK)
                    throw await RefusedAsync(response, body, guard).ConfigureAwait(false);
                return await read(body, guard).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException e) when (!ct.IsCancellationRequested)
        {
            throw guard.Tripped
                ? new ApiFailureException($"no data for {guard.Limit.TotalSeconds:0} s", Remedy.Resume, e) { Silence = guard.Limit }
                : new ApiFailureException("the connection was aborted", Remedy.Resume, e);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or SocketException or AuthenticationException)
        {
            ct.ThrowIfCancellationRequested();
            throw new ApiFailureException(Innermost(e), Remedy.Resume, e);
        }
        catch (JsonException e)
        {
            throw new ApiFailureException($"the response cannot be parsed: {e.Message}", Remedy.Doubt, e);
        }
    }

    private async Task<ApiFailureException> RefusedAsync(HttpResponseMessage response, Stream body, SilenceGuard guard)
    {
        var code = (int)response.StatusCode;
        guard.Limit = ErrorBodySilence;
        var status = await StatusAsync(body, guard).ConfigureAwait(false);
        return new ApiFailureException(
            string.Create(CultureInfo.InvariantCulture, $"HTTP {code}: {status?.Message ?? response.ReasonPhrase}"),
            ApiFailureException.RemedyFor(code, status?.Reason, status?.Message, status?.Causes))
        {
            Status = response.StatusCode,
            RetryAfter = Delay(response.Headers.RetryAfter),
        };
    }

    private TimeSpan? Delay(RetryConditionHeaderValue? header) =>
        header?.Delta ?? (header?.Date is { } date && date > time.GetUtcNow() ? date - time.GetUtcNow() : null);

    /// <summary>The Status of a refusal, if it has one; whatever the body is, the refusal stands.</summary>
    private static async Task<StatusWire?> StatusAsync(Stream body, SilenceGuard guard)
    {
        try
        {
            var buffer = new byte[LongestErrorBody];
            var length = await body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, guard.Token).ConfigureAwait(false);
            return WireReader.Read(new(buffer, 0, length), WireJson.Default.StatusWire);
        }
        catch (Exception e) when (e is JsonException or IOException or HttpRequestException
            || (e is OperationCanceledException && guard.Tripped))
        {
            return null;
        }
    }

    private static string Innermost(Exception e)
    {
        var message = e.Message;
        for (var cause = e.InnerException; cause is not null; cause = cause.InnerException)
            if (!message.Contains(cause.Message, StringComparison.Ordinal))
                message += ": " + cause.Message;
        return message;
    }
}
