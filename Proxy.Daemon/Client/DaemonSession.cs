using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Reading;
using TorBalancer.Daemon.Admin;
using TorBalancer.Daemon.Terminal;

namespace TorBalancer.Daemon.Client;

/// <summary>One command's talk with the daemon, and where it writes.</summary>
/// <param name="places">Where the daemon may be, the surest first; the first that answers is asked from then on.</param>
internal sealed class DaemonSession(IReadOnlyList<EndPoint> places, string? token, InvocationConfiguration console) : IDisposable
{
    /// <summary>For one answer. A reload reads files and probes nothing.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly List<string> _failures = [];
    private AdminClient? _client;
    private int _next;

    /// <summary>What else may be the matter when nobody answers; null: nothing.</summary>
    public string? Note { get; init; }

    /// <summary>The configuration that says where the daemon is; null: --admin did.</summary>
    public ConfigurationResult? Configuration { get; init; }

    /// <summary>True when a socket was there that this user may not use.</summary>
    public bool IsForbidden { get; private set; }

    public TextWriter Output => console.Output;

    public TextWriter Error => console.Error;

    /// <summary>True when a person looks on. Tests and pipes are none.</summary>
    public bool IsTerminal { get; } = ReferenceEquals(console.Output, Console.Out) && TerminalCalls.IsTerminal(TerminalCalls.Output);

    /// <summary>True when nobody reads what is written, as behind <c>| head</c>: something without an end is to end then.</summary>
    public bool IsUnread => ReferenceEquals(console.Output, Console.Out) && TerminalCalls.IsUnread(TerminalCalls.Output);

    public TextStyle Style => TextStyle.For(IsTerminal, Environment.GetEnvironmentVariable);

    /// <summary>Of the terminal; 0: nothing is to be cut.</summary>
    public int Width => IsTerminal && TerminalCalls.SizeOf(TerminalCalls.Output) is { } size ? size.Width : 0;

    /// <summary>Who answers, as --admin takes it; empty before the first answer.</summary>
    public string Place => _client is null ? "" : places[_next] is UnixDomainSocketEndPoint unix ? $"unix:{unix}" : $"{places[_next]}";

    /// <summary>The JSON behind a path. Throws <see cref="DaemonException"/>.</summary>
    public async Task<JsonDocument> GetAsync(string path, CancellationToken cancellationToken) =>
        Judge(await SendAsync(HttpMethod.Get, path, body: null, cancellationToken));

    /// <summary>The same; null where the daemon is an older one that does not know the path.</summary>
    public async Task<JsonDocument?> TryGetAsync(string path, CancellationToken cancellationToken)
    {
        var answer = await SendAsync(HttpMethod.Get, path, body: null, cancellationToken);
        if (answer.Status != HttpStatusCode.NotFound)
            return Judge(answer);
        answer.Dispose();
        return null;
    }

    /// <summary>What a command was answered. Throws <see cref="DaemonException"/>.</summary>
    public async Task<JsonDocument> CommandAsync(
        HttpMethod method, string path, CancellationToken cancellationToken, string? body = null) =>
        Judge(await SendAsync(method, path, body, cancellationToken));

    /// <summary>An answer without an end.</summary>
    public Task<HttpResponseMessage> FollowAsync(string path, string? lastEventId, CancellationToken cancellationToken) =>
        AskAsync((client, token) => client.FollowAsync(path, lastEventId, token), cancellationToken);

    /// <summary>What the daemon says, whatever its status.</summary>
    public Task<AdminAnswer> SendAsync(HttpMethod method, string path, string? body, CancellationToken cancellationToken) =>
        AskAsync((client, token) => client.SendAsync(method, path, body, token), cancellationToken);

    public void Dispose() => _client?.Dispose();

    /// <summary>Throws what an answer that is an error says.</summary>
    public static DaemonException ProblemOf(HttpStatusCode status, JsonElement problem)
    {
        if (problem.Lines("errors") is { Count: > 0 } mistakes)
            return new DaemonException(ExitCodes.Failed, string.Join('\n', mistakes));
        string text = problem.Text("detail") ?? string.Create(CultureInfo.InvariantCulture, $"it answered with status {(int)status}");
        if (problem.Texts("allowed").ToArray() is { Length: > 0 } allowed)
            text += $"; allowed: {string.Join(", ", allowed)}";
        text = Printable.Of(text);
        return status switch
        {
            HttpStatusCode.Unauthorized => new DaemonException(
                ExitCodes.NoDaemon,
                $"the daemon asks for a token ({text}): name its file with --token-file, or set ${ConfigurationOverrides.TokenVariable}"),
            HttpStatusCode.NotFound when text.StartsWith("there is nothing at ", StringComparison.Ordinal) => new DaemonException(
                ExitCodes.Failed, $"this daemon is of another version than this program and does not know that ({text}): restart it"),
            HttpStatusCode.NotFound => new DaemonException(ExitCodes.Unknown, text),
            _ => new DaemonException(ExitCodes.Failed, text),
        };
    }

    private static JsonDocument Judge(AdminAnswer answer)
    {
        if ((int)answer.Status is >= 200 and < 300)
            return answer.Body;
        using (answer)
            throw ProblemOf(answer.Status, answer.Body.RootElement);
    }

    private async Task<T> AskAsync<T>(Func<AdminClient, CancellationToken, Task<T>> ask, CancellationToken cancellationToken)
    {
        while (true)
        {
            bool isKnown = _client is not null;
            if (!isKnown && _next == places.Count)
                throw new DaemonException(ExitCodes.NoDaemon, Nobody());
            var client = _client ?? new AdminClient(places[_next], token, CertificateOf(places[_next]));
            using var timer = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timer.CancelAfter(Limit);
            try
            {
                var answer = await ask(client, timer.Token);
                _client = client;
                return answer;
            }
            catch (AdminClientException failure) when (!isKnown)
            {
                client.Dispose();
                IsForbidden |= IsDenied(failure);
                _failures.Add($"  {places[_next]}: {Why(failure)}");
                _next++;
            }
            catch (AdminClientException failure)
            {
                throw new DaemonException(
                    ExitCodes.NoDaemon, $"the daemon at {Place} does not answer any more: {failure.Message}", failure);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                if (!isKnown)
                    client.Dispose();
                throw new DaemonException(
                    ExitCodes.NoDaemon,
                    string.Create(CultureInfo.InvariantCulture, $"{places[_next]} gives no answer within {Limit.TotalSeconds:0} s"));
            }
        }
    }

    private string? CertificateOf(EndPoint place) => place is IPEndPoint ? Configuration?.Options.Admin.Tls?.Certificate : null;

    private string Nobody()
    {
        if (places.Count == 0)
            return "there is nothing to ask: [Admin] Address is none and there is no socket; name the daemon's with --admin";
        string advice = "Is it running (systemctl status torbalancer)? torbalancer run starts it; --config FILE names another "
            + "configuration, --admin ADDRESS another daemon.";
        return string.Join('\n', _failures.Prepend("no daemon answers").Append(advice).Concat(Note is null ? [] : [Note]));
    }

    private static bool IsDenied(AdminClientException failure) =>
        failure.InnerException?.InnerException is SocketException { SocketErrorCode: SocketError.AccessDenied };

    private static string Why(AdminClientException failure) =>
        IsDenied(failure)
            ? $"{failure.Message}: the socket is the daemon's user's and root's; call this with sudo, or with sudo -u USER"
            : failure.Message;
}
