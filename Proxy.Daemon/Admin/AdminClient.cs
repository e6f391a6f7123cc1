using System.Net;
using System.Text.Json;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Daemon.Admin;

/// <summary>The daemon could not be asked, or gave no answer of the admin API's; the message says what happened.</summary>
internal sealed class AdminClientException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The command line's side of the admin API: asks a daemon that runs.</summary>
/// <param name="endPoint">Its address or unix socket.</param>
internal sealed class AdminClient(EndPoint endPoint) : IDisposable
{
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        ConnectCallback = (_, token) => SocketStream.ConnectAsync(endPoint, token),
    });

    /// <summary>The JSON behind a path of the API. Throws <see cref="AdminClientException"/>.</summary>
    public async Task<JsonDocument> GetAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            // A host that the API takes for its own whatever its address is.
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("http://localhost" + path));
            using var response = await _http.SendAsync(request, cancellationToken);
            if (response.StatusCode != HttpStatusCode.OK)
                throw new AdminClientException($"it answered {path} with status {(int)response.StatusCode}");
            await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            return await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
        }
        catch (HttpRequestException failure)
        {
            throw new AdminClientException((failure.InnerException ?? failure).Message, failure);
        }
        catch (Exception failure) when (failure is JsonException or IOException)
        {
            throw new AdminClientException($"its answer to {path} is not the admin API's: {failure.Message}", failure);
        }
    }

    /// <summary>Gives a command; the status and the JSON of the answer, whatever they are. Throws <see cref="AdminClientException"/>.</summary>
    public async Task<(HttpStatusCode Status, JsonDocument Answer)> PostAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, new Uri("http://localhost" + path));
            using var response = await _http.SendAsync(request, cancellationToken);
            await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
            return (response.StatusCode, await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken));
        }
        catch (HttpRequestException failure)
        {
            throw new AdminClientException((failure.InnerException ?? failure).Message, failure);
        }
        catch (Exception failure) when (failure is JsonException or IOException)
        {
            throw new AdminClientException($"its answer to {path} is not the admin API's: {failure.Message}", failure);
        }
    }

    public void Dispose() => _http.Dispose();
}
