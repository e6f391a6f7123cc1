using System.Text;

namespace TorBalancer.Benchmarks.Attacks.Bots;

/// <summary>Clients that send a byte of their request a second, half of them SOCKS5 and half HTTP.</summary>
internal sealed class SlowCrowd(BotTarget target, int size) : Crowd(target, size)
{
    // A greeting with as many methods as there can be (RFC 1928, section 3).
    private static readonly byte[] Greeting = [5, 255, .. Enumerable.Range(0, 255).Select(static method => (byte)method)];

    private static readonly byte[] Head = Encoding.ASCII.GetBytes(
        "GET http://attack.test/ HTTP/1.1\r\nHost: attack.test\r\nX-Slow: " + new string('a', 4096));

    private readonly Dictionary<int, int> _sent = [];

    protected override double TickInterval => 1;

    protected override bool Begin(int fd)
    {
        _sent[fd] = 0;
        return true;
    }

    protected override bool Tick(int fd)
    {
        byte[] script = fd % 2 == 0 ? Greeting : Head;
        int at = _sent[fd]++;
        return at >= script.Length || Send(fd, script.AsSpan(at, 1)) >= 0;
    }
}
