using System.Net;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>
/// Puts the credentials on each request. Where they are refused and there are newer ones, the request is sent once more with those.
/// </summary>
internal sealed class CredentialHandler(Credentials credentials, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var shown = await credentials.GetAsync(cancellationToken).ConfigureAwait(false);
        request.Headers.Authorization = shown;
        var response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode != HttpStatusCode.Unauthorized)
            return response;
        credentials.Rejected();
        var newer = await credentials.GetAsync(cancellationToken).ConfigureAwait(false);
        if (Equals(shown, newer))
            return response;
        response.Dispose();
        request.Headers.Authorization = newer;
        return await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
    }
}
