using System.Globalization;
using System.Text;
using TorBalancer.Primitives;
using TorBalancer.Protocols.Http;
using TorBalancer.Protocols.Socks4;
using TorBalancer.Protocols.Socks5;

namespace TorBalancer.Tests.Architecture;

/// <summary>Writes the tables of causes in the documentation from the code, each between two marks.</summary>
internal static class CauseTables
{
    private static readonly FailureCause[] Failures = [.. Enum.GetValues<FailureCause>().Where(static cause => cause != FailureCause.None)];

    /// <summary>docs/listeners.md: what each cause looks like to a client.</summary>
    public static string Replies()
    {
        var table = new StringBuilder(
            "| Cause | SOCKS5 | SOCKS5, extended | SOCKS4 | HTTP | Proxy-Status error | In words |\n|---|---|---|---|---|---|---|\n");
        foreach (var cause in Failures)
        {
            var http = HttpStatusMapper.Map(cause);
            table.Append(
                CultureInfo.InvariantCulture,
                $"| `{cause.Word()}` | {Socks5ReplyMapper.ToReply(cause, false):X2} | {Socks5ReplyMapper.ToReply(cause, true):X2} ");
            table.Append(
                CultureInfo.InvariantCulture,
                $"| {Socks4ReplyMapper.ToReply(cause):X2} | {http.Status} | `{http.ErrorType}` | {http.Explanation} |\n");
        }

        return table.ToString();
    }

    /// <summary>docs/failures.md: whose fault each cause is and what follows from it.</summary>
    public static string Faults()
    {
        var table = new StringBuilder(
            "| Cause | Fault | Counts against the worker | Tried at another worker "
            + "| Passed over | May be our network | As a canary | Stage |\n"
            + "|---|---|---|---|---|---|---|---|\n");
        foreach (var cause in Failures)
        {
            var info = cause.Info();
            string counts = info.Evidence switch { FailureEvidence.Full => "yes", FailureEvidence.Ambiguous => "half", _ => "no" };
            string retry = info.Retry switch { RetryRule.Always => "yes", RetryRule.Once => "once", _ => "no" };
            string side = info.Side == FailureSide.None
                ? "unknown"
                : info.Side == FailureSide.Internal ? "ours" : info.Side.ToString().ToLowerInvariant();
            string over = info.PassesOver ? "yes" : "no";
            string uplink = info.Uplink switch { UplinkSuspicion.Any => "yes", UplinkSuspicion.WorkerElsewhere => "elsewhere", _ => "no" };
            string canary = info.Circuit switch
            {
                CircuitEvidence.Works => "passes",
                CircuitEvidence.Fails => "fails",
                _ => "-",
            };
            string stage = info.Stage.ToString().ToLowerInvariant();
            table.Append(
                CultureInfo.InvariantCulture,
                $"| `{info.Word}` | {side} | {counts} | {retry} | {over} | {uplink} | {canary} | {stage} |\n");
        }

        return table.ToString();
    }
}
