using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.Attacks.Bots;

/// <summary>Clients whose target sends without end, and who take some hundred bytes of it a second.</summary>
internal sealed unsafe class SlowReaders(BotTarget target, int size) : Crowd(target, size)
{
    private const int BytesInATick = 512;

    private static readonly byte[] Request =
    [
        5, 1, 2, .. HandshakeScript.Credentials(AttackUsers.Busy, AttackUsers.Password),
        .. HandshakeScript.Socks5Request("attack.test", StubPorts.Source),
    ];

    protected override double TickInterval => 1;

    protected override bool Begin(int fd)
    {
        int least = 4096;
        Native.SetOption(fd, Native.SolSocket, Native.SoReceiveBuffer, &least, sizeof(int));
        return Send(fd, Request) == Request.Length;
    }

    /// <summary>Not yet.</summary>
    protected override bool Read(int fd)
    {
        Ignore(fd);
        return true;
    }

    protected override bool Tick(int fd)
    {
        byte* buffer = stackalloc byte[BytesInATick];
        return Native.Receive(fd, buffer, BytesInATick, Native.MsgDontWait) != 0;
    }
}
