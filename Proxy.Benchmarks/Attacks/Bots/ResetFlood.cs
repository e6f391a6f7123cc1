using TorBalancer.Benchmarks.SideBySide.Load;

namespace TorBalancer.Benchmarks.Attacks.Bots;

/// <summary>Connects and resets, as fast as one processor can.</summary>
internal sealed unsafe class ResetFlood(BotTarget target) : Bot
{
    private const int InATurn = 64;

    public override void Turn()
    {
        // struct linger: on, and no seconds, so that closing is a reset (socket(7)).
        int* linger = stackalloc int[2] { 1, 0 };
        for (int i = 0; i < InATurn; i++)
        {
            int fd = target.Connect();
            if (fd < 0)
                continue;
            Native.SetOption(fd, Native.SolSocket, Native.SoLinger, linger, 2 * sizeof(int));
            Native.Close(fd);
            Done++;
        }
    }
}
