using System.Globalization;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Admin;
using TorBalancer.Server;

namespace TorBalancer.Daemon.Readiness;

/// <summary>What is said at the two addresses of [Readiness]. No worker is named: who asks need not be who operates.</summary>
internal sealed class ReadinessAnswers(ReadinessJudge readiness, Liveness liveness, TimeProvider time)
{
    /// <summary>How long what carries traffic may take to show that it moves.</summary>
    internal static readonly TimeSpan TurnLimit = TimeSpan.FromSeconds(2);

    /// <summary>Bytes that are read and thrown away behind a question, so that closing resets nothing that was answered.</summary>
    private const int MostIgnored = 64 * 1024;

    /// <summary>How long a peer may take to close after the answer.</summary>
    private static readonly TimeSpan Linger = TimeSpan.FromSeconds(1);

    private volatile bool _isHandedOver;

    /// <summary>
    /// Another process has this address, or is about to: who had connected here before is answered of both together, which serve. That this
    /// one drains would have a balancer send nobody to the other.
    /// </summary>
    public bool IsHandedOver
    {
        get => _isHandedOver;
        set => _isHandedOver = value;
    }

    /// <summary>One HTTP request and its answer.</summary>
    public async Task AnswerHttpAsync(Socket socket, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[ReadinessRequest.MaxLength];
        int length = 0;
        ReadinessRequest? request = null;
        while (request is null && length < buffer.Length)
        {
            int read = await socket.ReceiveAsync(buffer.AsMemory(length), SocketFlags.None, cancellationToken);
            if (read == 0)
                return;
            length += read;
            request = ReadinessRequest.TryParse(buffer.AsSpan(0, length));
        }

        string answer = await AnswerAsync(request, cancellationToken);
        await EndAsync(socket, Encoding.ASCII.GetBytes(answer), cancellationToken);
    }

    /// <summary>HAProxy's agent-check: one line for each connection, whatever it sends.</summary>
    public Task AnswerAgentAsync(Socket socket, CancellationToken cancellationToken) =>
        EndAsync(socket, Encoding.ASCII.GetBytes(AgentLine(Look()) + "\n"), cancellationToken);

    /// <summary>
    /// The state in the words of HAProxy's agent-check (its configuration manual, "agent-check"). <c>ready</c> takes back the <c>drain</c>
    /// of the daemon that ran here before: HAProxy keeps that until it is told.
    /// </summary>
    internal static string AgentLine(ReadinessReport report) => report switch
    {
        { IsDraining: true } => "drain",
        { IsReady: true } => string.Create(CultureInfo.InvariantCulture, $"ready up {report.Percent}%"),
        _ => $"ready down#{report.Reason}",
    };

    private ReadinessReport Look() => _isHandedOver ? readiness.Look() with { Stage = ServingStage.Serving } : readiness.Look();

    /// <param name="request">Null: it is longer than any question that is answered here.</param>
    private async Task<string> AnswerAsync(ReadinessRequest? request, CancellationToken cancellationToken)
    {
        if (request is not { } asked)
            return Response("431 Request Header Fields Too Large", "the request is too long");
        if (asked.Method.Length == 0)
            return Response("400 Bad Request", "this is no HTTP/1 request");
        bool isHead = asked.Method == "HEAD";
        if (asked.Path is not ("/livez" or "/readyz"))
            return Response("404 Not Found", "there are /livez and /readyz", isHead);
        if (!isHead && asked.Method != "GET")
            return Response("405 Method Not Allowed", "GET and HEAD are allowed", fields: "Allow: GET, HEAD\r\n");
        if (asked.Path == "/readyz")
        {
            var report = Look();
            return Response(report.IsReady ? "200 OK" : "503 Service Unavailable", report.Summary, isHead);
        }

        return await liveness.FindStuckAsync(TurnLimit, cancellationToken) is { } stuck
            ? Response("503 Service Unavailable", $"not alive: {stuck} did not move within {TurnLimit.TotalSeconds:0} s", isHead)
            : Response("200 OK", "alive", isHead);
    }

    private static string Response(string status, string text, bool isHead = false, string fields = "") => string.Create(
        CultureInfo.InvariantCulture,
        $"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {text.Length + 1}\r\n{fields}"
            + $"Cache-Control: no-store\r\nConnection: close\r\n\r\n{(isHead ? "" : text + "\n")}");

    /// <summary>
    /// Sends it, and waits for the peer's end a moment: closing with bytes unread would reset the connection under the answer.
    /// </summary>
    private async Task EndAsync(Socket socket, byte[] answer, CancellationToken cancellationToken)
    {
        for (ReadOnlyMemory<byte> left = answer; !left.IsEmpty;)
            left = left[await socket.SendAsync(left, SocketFlags.None, cancellationToken)..];
        socket.Shutdown(SocketShutdown.Send);
        using var timer = new CancellationTokenSource(Linger, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timer.Token, cancellationToken);
        byte[] ignored = new byte[1024];
        for (int total = 0; total < MostIgnored;)
        {
            int read = await socket.ReceiveAsync(ignored, SocketFlags.None, either.Token);
            if (read == 0)
                return;
            total += read;
        }
    }
}
