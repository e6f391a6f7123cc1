using System.Text;

namespace TorBalancer.Benchmarks.Attacks.Bots;

/// <summary>What never ends.</summary>
internal enum EndlessKind
{
    /// <summary>A request's head: one field after the other.</summary>
    Headers,

    /// <summary>A request's body: one chunk of one byte after the other, to a target that takes everything.</summary>
    Chunks,
}

/// <summary>Clients whose requests do not end, as fast as they are read.</summary>
internal sealed class EndlessCrowd(BotTarget target, int size, EndlessKind kind) : Crowd(target, size)
{
    private readonly byte[] _begin = Encoding.ASCII.GetBytes(
        kind == EndlessKind.Headers
            ? "GET http://attack.test/ HTTP/1.1\r\nHost: attack.test\r\n"
            : $"POST http://attack.test:9/ HTTP/1.1\r\nHost: attack.test:9\r\nProxy-Authorization: Basic {AttackUsers.BusyBasic}\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n");

    // Of whole pieces, so that a write that was cut short is gone on with at the right place.
    private readonly byte[] _endless = Encoding.ASCII.GetBytes(
        string.Concat(Enumerable.Repeat(kind == EndlessKind.Headers ? "X-Endless: aaaaaaaa\r\n" : "1\r\nx\r\n", 1000)));

    private readonly Dictionary<int, int> _at = [];

    protected override bool WantsToWrite => true;

    protected override bool Begin(int fd)
    {
        _at[fd] = 0;
        return Send(fd, _begin) == _begin.Length;
    }

    protected override bool Write(int fd)
    {
        int at = _at[fd], sent = Send(fd, _endless.AsSpan(at));
        _at[fd] = (at + Math.Max(sent, 0)) % _endless.Length;
        return sent >= 0;
    }
}
