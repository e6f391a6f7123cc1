using System.Globalization;
using TorBalancer.Benchmarks.SideBySide.Measuring;

namespace TorBalancer.Benchmarks.Attacks;

/// <summary>One attack on a daemon of its own: how a bystander is served before, during and after, and what the daemon holds.</summary>
internal sealed class AttackRun : IDisposable
{
    /// <summary>
    /// Seconds: before, the daemon serves a bystander until it is warm; then it is quiet for as long as it takes to give memory back.
    /// </summary>
    private const double WarmUp = 2, Quiet = 5;

    /// <summary>Seconds until an attack is as strong as it gets.</summary>
    private const double BuildUp = 3;

    private readonly AttackedDaemon _daemon;
    private double _endedAt;

    public AttackRun(Attack attack, AttackedDaemon daemon) => (Attack, _daemon) = (attack, daemon);

    public Attack Attack { get; }

    public BystanderResult Before { get; private set; }

    public BystanderResult During { get; private set; }

    public BystanderResult After { get; private set; }

    public Holdings Base { get; private set; }

    /// <summary>Each at its highest.</summary>
    public Holdings Most { get; private set; }

    public Holdings Rested { get; private set; }

    /// <summary>Connections that the attackers hold, or what they do in a second.</summary>
    public double Strength { get; private set; }

    /// <summary>Attacks; what is measured of the time after is measured by <see cref="Finish"/>.</summary>
    public void Run(double seconds)
    {
        using (var bystander = NewBystander())
            bystander.Watch(WarmUp);

        Task.Delay(TimeSpan.FromSeconds(Quiet)).Wait();
        Base = Most = Holdings.Of(_daemon.Id);
        using (var bystander = NewBystander())
        {
            bystander.Watch(0.5);
            Before = bystander.Watch(seconds);
            using var bots = new AttackBots(Attack, _daemon.Address);
            for (double end = ProcessFacts.Now() + BuildUp; ProcessFacts.Now() < end;)
            {
                Task.Delay(100).Wait();
                Look();
            }

            double from = bots.Done, began = ProcessFacts.Now();
            During = bystander.Watch(seconds, Look);
            Strength = Attack.CountsHeld ? bots.Held : (bots.Done - from) / (ProcessFacts.Now() - began);
        }

        _endedAt = ProcessFacts.Now();
        if (_daemon.HasExited)
            throw new InvalidOperationException($"the daemon has died under the attack {Attack.Name}");
    }

    /// <summary>Waits until the attack is over for that many seconds, and looks again.</summary>
    public void Finish(double rest, double seconds)
    {
        double wait = _endedAt + rest - ProcessFacts.Now();
        if (wait > 0)
            Task.Delay(TimeSpan.FromSeconds(wait)).Wait();
        Rested = Holdings.Of(_daemon.Id);
        using var bystander = NewBystander();
        bystander.Watch(0.5);
        After = bystander.Watch(seconds);
    }

    public void Dispose() => _daemon.Dispose();

    public string[] Row() =>
    [
        string.Format(CultureInfo.InvariantCulture, Attack.Title, Attack.Size),
        Attack.CountsHeld ? MarkdownTable.Number(Strength) : MarkdownTable.Number(Strength) + "/s",
        Three(Before.P50, During.P50, After.P50), Three(Before.P99, During.P99, After.P99),
        MarkdownTable.Number(During.P99 / Before.P99),
        During.Failed.ToString(CultureInfo.InvariantCulture),
        $"{Base.Descriptors} {Most.Descriptors} {Rested.Descriptors}",
        $"{Base.Threads} {Most.Threads} {Rested.Threads}",
        string.Create(CultureInfo.InvariantCulture, $"{Base.ResidentMiB:0} {Most.ResidentMiB:0} {Rested.ResidentMiB:0}"),
    ];

    private static string Three(double before, double during, double after) =>
        $"{MarkdownTable.Number(before)} {MarkdownTable.Number(during)} {MarkdownTable.Number(after)}";

    private Bystander NewBystander() => new(_daemon.Target, Attack.IsIn);

    private void Look() => Most = Most.Most(Holdings.Of(_daemon.Id));
}
