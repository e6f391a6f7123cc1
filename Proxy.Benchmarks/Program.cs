using BenchmarkDotNet.Running;
using TorBalancer.Benchmarks.Attacks;
using TorBalancer.Benchmarks.Attacks.Bots;
using TorBalancer.Benchmarks.SideBySide;
using TorBalancer.Benchmarks.SideBySide.Relays;

namespace TorBalancer.Benchmarks;

/// <summary>
/// BenchmarkDotNet for the parts; <c>side-by-side</c>, <c>stub</c>, <c>load</c> and <c>relay</c> for the whole (see docs/performance.md);
/// <c>attacks</c> and <c>bot</c> for what it does under attack (see docs/security.md).
/// </summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        switch (args)
        {
            case ["side-by-side", .. var rest]:
                return SideBySideCommand.Run(rest);
            case ["stub", .. var rest]:
                StubCommand.Run(rest);
                return 0;
            case ["load", .. var rest]:
                LoadCommand.Run(rest);
                return 0;
            case ["attacks", .. var rest]:
                return AttacksCommand.Run(rest);
            case ["bot", .. var rest]:
                BotCommand.Run(rest);
                return 0;
            case ["relay", .. var rest]:
                return RelayCommand.Run(rest);
            default:
                BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args);
                return 0;
        }
    }
}
