using System.Globalization;
using System.Net;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.Attacks.Bots;

/// <summary>
/// <c>bot KIND ADDRESS:PORT SIZE</c>: attacks what listens there until it is killed. Twice a second it prints what it has done and holds.
/// </summary>
internal static class BotCommand
{
    private const double ReportInterval = 0.5;

    public static void Run(string[] args)
    {
        var target = IPEndPoint.Parse(args[1]);
        var bot = Create(args[0], BotTarget.Of(target), int.Parse(args[2], CultureInfo.InvariantCulture));
        for (double reportAt = 0; ;)
        {
            bot.Turn();
            if (ProcessFacts.Now() < reportAt)
                continue;
            reportAt = ProcessFacts.Now() + ReportInterval;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{bot.Done} {bot.Held}"));
        }
    }

    private static Bot Create(string kind, BotTarget target, int size) => kind switch
    {
        "silent" => new SilentCrowd(target, size),
        "slow" => new SlowCrowd(target, size),
        "reset" => new ResetFlood(target),
        "half-open" => new HalfOpenFlood(target),
        "headers" => new EndlessCrowd(target, size, EndlessKind.Headers),
        "chunks" => new EndlessCrowd(target, size, EndlessKind.Chunks),
        "readers" => new SlowReaders(target, size),
        "passwords" => new PasswordCrowd(target, size),
        _ => throw new ArgumentException($"{kind} is no kind of attacker"),
    };
}
