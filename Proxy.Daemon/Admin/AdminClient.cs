using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using TorBalancer.Interop;
using TorBalancer.Transport.Sockets;

namespace TorBalancer.Daemon.Admin;

/// <summary>The daemon could not be asked, or gave no answer of the admin API's; the message says what happened.</summary>
internal sealed class AdminClientException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>What the admin API answered.</summary>
/// <param name="Status">200, or 4xx and 5xx with a problem (RFC 9457) as its body.</param>
/// <param name="Body">The JSON; disposed of with it.</param>
internal sealed record AdminAnswer(HttpStatusCode Status, JsonDocument Body) : IDisposable
{
    public void Dispose() => Body.Dispose();
}

/// <summary>The command line's side of the admin API: asks a daemon that runs.</summary>
/// <param name="endPoint">Its address or unix socket.</param>
/// <param name="token">Of [Admin] Token; null: none is sent.</param>
/// <param name="certificate">The file of [Admin] Tls, the only certificate that is taken then; null: it is asked in plain HTTP.</param>
internal sealed class AdminClient(EndPoint endPoint, string? token = null, string? certificate = null) : IDisposable
{
    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        ConnectCallback = (_, token) => SocketStream.ConnectAsync(endPoint, token),
        SslOptions = { RemoteCertificateValidationCallback = (_, shown, _, _) => IsOurs(shown, certificate) },
    });

    /// <summary>The JSON behind a path of the API. Throws <see cref="AdminClientException"/>.</summary>
    public async Task<JsonDocument> GetAsync(string path, CancellationToken cancellationToken)
    {
        var answer = await SendAsync(HttpMethod.Get, path, body: null, cancellationToken);
        if (answer.Status == HttpStatusCode.OK)
            return answer.Body;
        answer.Dispose();
        throw new AdminClientException($"it answered {path} with status {(int)answer.Status}");
    }

    /// <summary>Sends one request. Throws <see cref="AdminClientException"/> when there is no answer, or none of the API's.</summary>
    /// <param name="body">JSON; null: none.</param>
    public async Task<AdminAnswer> SendAsync(HttpMethod method, string path, string? body, CancellationToken cancellationToken)
    {
        HttpStatusCode? status = null;
        try
        {
            using var response = await OpenAsync(method, path, body, cancellationToken);
            status = response.StatusCode;
            await using var content = await response.Content.ReadAsStreamAsync(cancellationToken);
            return new AdminAnswer(response.StatusCode, await JsonDocument.ParseAsync(content, cancellationToken: cancellationToken));
        }
        catch (Exception failure) when (failure is JsonException or IOException)
        {
            throw new AdminClientException(
                status is null or HttpStatusCode.OK
                    ? $"its answer to {path} is not the admin API's: {failure.Message}"
                    : $"it answered {path} with status {(int)status}", failure);
        }
    }

    /// <summary>
    /// The answer to a GET as it comes, for what has no end. Throws <see cref="AdminClientException"/> when there is none.
    /// </summary>
    /// <param name="lastEventId">Of the last event that was seen; null: none was.</param>
    public Task<HttpResponseMessage> FollowAsync(string path, string? lastEventId, CancellationToken cancellationToken) =>
        OpenAsync(HttpMethod.Get, path, body: null, cancellationToken, lastEventId);

    private async Task<HttpResponseMessage> OpenAsync(
        HttpMethod method, string path, string? body, CancellationToken cancellationToken, string? lastEventId = null)
    {
        // A host that the API takes for its own whatever its address is.
        using var request = new HttpRequestMessage(method, UriOf(path));
        if (token is not null)
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (lastEventId is not null)
            request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        try
        {
            return await _http.SendAsync(request, cancellationToken);
        }
        catch (HttpRequestException failure)
        {
            throw new AdminClientException(
                failure.InnerException is SocketException refused ? UnixSocketFile.MessageOf(endPoint, refused)
                    : (failure.InnerException ?? failure).Message, failure);
        }
    }

    public void Dispose() => _http.Dispose();

    private Uri UriOf(string path) => new((certificate is null ? "http" : "https") + "://localhost" + path);

    /// <summary>It is the very certificate that the configuration names: whoever signed it, and whatever names are in it.</summary>
    private static bool IsOurs(X509Certificate? shown, string? file)
    {
        if (shown is null || file is null)
            return false;
        try
        {
            using var ours = X509Certificate2.CreateFromPem(File.ReadAllText(file));
            return shown.GetRawCertData().AsSpan().SequenceEqual(ours.RawData);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or CryptographicException)
        {
            return false;
        }
    }
}
