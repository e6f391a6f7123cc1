using TorBalancer.Configuration.Options;
using TorBalancer.TorControl.Syntax;

namespace TorBalancer.TorControl.Relays;

/// <summary>Why a relay was listed.</summary>
/// <param name="Failures">Different pairs of circuit and destination that failed since its last success.</param>
/// <param name="Circuits">Different circuits among them.</param>
/// <param name="Destinations">Different destinations among them.</param>
/// <param name="Certain">Failures that the exit itself admitted or that took its circuit with them.</param>
internal readonly record struct EvidenceView(int Failures, int Circuits, int Destinations, int Certain);

/// <summary>
/// Failures per exit since its last success. One destination or one circuit is never enough: whoever runs a destination,
/// or a relay in front of the exit, could otherwise steer us away from honest exits. Not for several threads.
/// </summary>
/// <param name="threshold">Failures that are needed.</param>
internal sealed class ExitEvidence(TimeProvider time, Live<int> threshold)
{
    /// <summary>A guard or middle that drops circuits shows up on one circuit, or on many exits, not on one exit from several.</summary>
    internal const int MinCircuits = 2;

    /// <summary>A destination that refuses an exit is not the exit's fault.</summary>
    internal const int MinDestinations = 2;

    /// <summary>Older failures say nothing about now.</summary>
    internal static readonly TimeSpan Window = TimeSpan.FromMinutes(5);

    private const int MaxExits = 256;
    private const int MaxFailures = 64;

    private readonly Dictionary<string, List<Failure>> _exits = new(StringComparer.Ordinal);

    /// <summary>Counts a failure. The evidence when it has become enough, else null.</summary>
    public EvidenceView? Failed(in StreamVerdict verdict)
    {
        string exit = verdict.Exit.Fingerprint;
        if (exit.Length == 0)
            return null;
        if (!_exits.TryGetValue(exit, out var failures))
        {
            Trim();
            if (_exits.Count >= MaxExits)
                return null;
            _exits.Add(exit, failures = []);
        }

        failures.RemoveAll(old => time.GetElapsedTime(old.Time) > Window);
        var (circuit, destination) = (verdict.CircuitKey, verdict.Destination);
        bool isCertain = verdict.Fault != StreamFault.Ambiguous;

        // The same pair twice is one client that tries again.
        int same = failures.FindIndex(old => old.Circuit == circuit && old.Destination == destination);
        if (same >= 0)
            failures[same] = failures[same] with { IsCertain = failures[same].IsCertain || isCertain };
        else if (failures.Count < MaxFailures)
            failures.Add(new Failure(time.GetTimestamp(), circuit, destination, isCertain));
        return Judge(exit, failures);
    }

    /// <summary>It works: nothing is held against it any longer.</summary>
    public void Succeeded(RelayName exit) => _exits.Remove(exit.Fingerprint);

    public void Clear() => _exits.Clear();

    private EvidenceView? Judge(string exit, List<Failure> failures)
    {
        // A name that no exit resolves and a port that refuses everybody fail at every exit alike.
        var counted = failures.FindAll(failure => failure.IsCertain || !FailsElsewhere(exit, failure.Destination));
        var view = new EvidenceView(
            counted.Count,
            counted.Select(static failure => failure.Circuit).Distinct().Count(),
            counted.Select(static failure => failure.Destination).Distinct().Count(),
            counted.Count(static failure => failure.IsCertain));
        return view.Failures >= threshold.Value && view.Circuits >= MinCircuits && view.Destinations >= MinDestinations ? view : null;
    }

    private bool FailsElsewhere(string exit, string destination) =>
        _exits.Any(other => other.Key != exit && other.Value.Exists(failure => failure.Destination == destination && !failure.IsCertain
            && time.GetElapsedTime(failure.Time) <= Window));

    private void Trim()
    {
        foreach (var (exit, failures) in _exits)
        {
            if (failures.TrueForAll(failure => time.GetElapsedTime(failure.Time) > Window))
                _exits.Remove(exit);
        }
    }

    private readonly record struct Failure(long Time, string Circuit, string Destination, bool IsCertain);
}
