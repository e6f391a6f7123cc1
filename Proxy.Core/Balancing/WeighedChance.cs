using TorBalancer.Workers;

namespace TorBalancer.Balancing;

/// <summary>
/// Goes through every way in which a step of a selection can end, one after the other, each with its probability. Nothing is decided by it:
/// no turn is taken and no dice are thrown.
/// </summary>
internal sealed class WeighedChance : ISelectionChance
{
    private readonly List<Fork> _path = [];
    private readonly Dictionary<(WorkerState? Besides, bool Clean, bool PassesOver), Fork> _known = [];
    private int _depth;

    /// <summary>How likely the way is that was just gone.</summary>
    public double Share
    {
        get
        {
            double share = 1;
            foreach (var fork in _path)
                share *= fork.Share;
            return share;
        }
    }

    public WorkerState? Pick(IWorkerSelectionPolicy policy, WorkerSnapshot snapshot, in SelectionContext context, out int active)
    {
        active = -1;
        if (_depth == _path.Count)
        {
            // The same question comes behind many ways.
            var key = (context.Tried.IsEmpty ? null : context.Tried[^1], context.NeedsCleanCircuit, context.PassesOver);
            if (!_known.TryGetValue(key, out var known))
            {
                var odds = new SelectionOdds();
                policy.Weigh(snapshot, context, odds);
                known = odds.Shares.Count == 0
                    ? new Fork([null], [1])
                    : new Fork([.. odds.Shares.Keys], [.. odds.Shares.Values]);
                _known.Add(key, known);
            }

            _path.Add(known);
        }

        return _path[_depth++].Worker;
    }

    public bool Happens(double probability)
    {
        if (_depth == _path.Count)
        {
            double share = Math.Clamp(Math.Ceiling(probability * DecidedChance.Steps) / DecidedChance.Steps, 0, 1);
            _path.Add(share switch
            {
                0 => new Fork([null], [1], First: false),
                1 => new Fork([null], [1], First: true),
                _ => new Fork([null, null], [share, 1 - share], First: true),
            });
        }

        return _path[_depth++].IsTrue;
    }

    /// <summary>Turns to the next way; false when all were gone.</summary>
    public bool Next()
    {
        _depth = 0;
        while (_path.Count > 0)
        {
            var last = _path[^1];
            if (last.At + 1 < last.Shares.Length)
            {
                _path[^1] = last with { At = last.At + 1 };
                return true;
            }

            _path.RemoveAt(_path.Count - 1);
        }

        return false;
    }

    /// <summary>One question and the answer that is tried now.</summary>
    /// <param name="First">What the first answer of a yes-or-no question is.</param>
    private readonly record struct Fork(WorkerState?[] Workers, double[] Shares, bool First = false, int At = 0)
    {
        public WorkerState? Worker => Workers[At];

        public double Share => Shares[At];

        public bool IsTrue => First == (At == 0);
    }
}
