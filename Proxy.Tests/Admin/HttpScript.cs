using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Admin;

/// <summary>Web servers behind a fake worker: answers each request head by its host and path, and keeps the heads.</summary>
internal sealed class HttpScript
{
    private readonly Dictionary<string, byte[]> _answers = new(StringComparer.Ordinal);

    /// <summary>Request heads as they arrived, in order.</summary>
    public ConcurrentQueue<string> Heads { get; } = new();

    /// <summary>Runs before an answer is sent.</summary>
    public Func<CancellationToken, Task> Before { get; set; } = static _ => Task.CompletedTask;

    public HttpScript On(string hostAndPath, string answer) => On(hostAndPath, Encoding.Latin1.GetBytes(answer));

    public HttpScript On(string hostAndPath, byte[] answer)
    {
        _answers[hostAndPath] = answer;
        return this;
    }

    public static string Answer(string body, string head = "Content-Type: text/plain", int status = 200) =>
        $"HTTP/1.1 {status} X\r\n{head}\r\nContent-Length: {Encoding.UTF8.GetByteCount(body)}\r\n\r\n{body}";

    public static string Redirect(string location, int status = 302) =>
        $"HTTP/1.1 {status} X\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n";

    public HttpScript Behind(params FakeTorWorker[] workers)
    {
        foreach (var worker in workers)
            worker.OnStream = ServeAsync;
        return this;
    }

    private async Task ServeAsync(NetworkStream stream, FakeWorkerRequest request, CancellationToken token)
    {
        var head = new StringBuilder();
        var buffer = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            if (await stream.ReadAsync(buffer, token) == 0)
                return;
            head.Append((char)buffer[0]);
        }

        string text = head.ToString();
        Heads.Enqueue(text);
        await Before(token);
        string key = request.Host + text.Split(' ')[1];
        await stream.WriteAsync(
            _answers.TryGetValue(key, out byte[]? answer) ? answer : Encoding.Latin1.GetBytes(Answer("", status: 404)), token);
    }
}
