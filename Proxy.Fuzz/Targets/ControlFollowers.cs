using TorBalancer.TorControl.Events;
using TorBalancer.TorControl.Relays;
using TorBalancer.TorControl.Syntax;
using TorBalancer.TorControl.Warm;

namespace TorBalancer.Fuzz.Targets;

/// <summary>
/// Those who follow a tor by its events: in any order, of things that were never heard of, and twice. What they keep is bounded by what
/// they were told.
/// </summary>
internal sealed class ControlFollowers
{
    private readonly CircuitTable _table = new(FrozenTime.Instance);
    private readonly TorFactsRecorder _facts = new(TimeSpan.FromMinutes(10), FrozenTime.Instance);
    private readonly CircuitLedger _ledger = new(FrozenTime.Instance, new WarmAccount(FrozenTime.Instance));
    private readonly List<StreamVerdict> _verdicts = [];
    private int _told;

    /// <summary>An event, or a reply whose lines are taken for circuits and streams.</summary>
    public void Tell(ControlReply reply)
    {
        _told += reply.Lines.Count;
        if (reply.IsAsynchronous)
        {
            var message = ControlEventParser.Parse(reply);
            _table.Apply(message, _verdicts);
            _facts.Observe(message);
            _ledger.Observe(message);
        }
        else
        {
            string[] lines = [.. reply.Lines.Select(static line => line.Text)];
            _table.Load(lines, lines);
            _ledger.Load(lines, lines);
        }

        var (circuits, streams) = _table.Counts;
        Expect.That(circuits <= _told && streams <= _told, "no more circuits and streams are kept than were told of");
        Expect.That(_ledger.Clean >= 0 && _ledger.Clean <= _told, "no more clean circuits are counted than were told of");
        Expect.That(_ledger.Building >= 0, "no count is negative");
        Expect.That(_verdicts.Count <= 2 * _told * _told, "verdicts come of what was told");
    }
}
