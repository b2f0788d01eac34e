using System.Net;

namespace Ebpf.Cni.Kubernetes.Connection;

/// <summary>Puts the credentials on each request and tells them when they were refused.</summary>
internal sealed class CredentialHandler(Credentials credentials, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.Authorization = await credentials.GetAsync(cancellationToken).ConfigureAwait(false);
        var response = await base.SendAsync(request, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.Unauthorized)
            credentials.Rejected();
        return response;
    }
}
