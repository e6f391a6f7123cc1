using System.Runtime.CompilerServices;
using System.Text;

namespace TorBalancer.Daemon.Client;

/// <summary>One event of a stream.</summary>
/// <param name="Id">Where a later stream may go on; null: it has none.</param>
/// <param name="Name">What happened.</param>
/// <param name="Data">Its lines, joined by line feeds.</param>
internal readonly record struct ServerSentEvent(string? Id, string Name, string Data);

/// <summary>
/// Reads server-sent events (WHATWG HTML, section 9.2.6).
/// <code>
/// : a comment
/// id: 1a2b-17
/// event: worker_state
/// data: {"id": …}
///
/// </code>
/// </summary>
internal static class ServerSentEvents
{
    /// <summary>Each event as its empty line arrives; one that the stream ends within is none.</summary>
    public static async IAsyncEnumerable<ServerSentEvent> ReadAsync(
        Stream stream, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var reader = new StreamReader(stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: false);
        string? id = null;
        string name = "message";
        var data = new List<string>();
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.Length == 0)
            {
                if (data.Count > 0)
                    yield return new ServerSentEvent(id, name, string.Join('\n', data));
                (id, name) = (null, "message");
                data.Clear();
                continue;
            }

            int colon = line.IndexOf(':');
            string field = colon < 0 ? line : line[..colon], value = colon < 0 ? "" : line[(colon + 1)..];
            if (value.StartsWith(' '))
                value = value[1..];
            if (field == "id")
                id = value;
            else if (field == "event")
                name = value;
            else if (field == "data")
                data.Add(value);
        }
    }
}
