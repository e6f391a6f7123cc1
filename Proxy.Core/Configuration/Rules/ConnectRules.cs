using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Rules;

/// <summary>No part of connecting is given more time than the whole.</summary>
internal sealed class ConnectRules(ConnectOptions options, GivenValues given, RuleReport report)
{
    public void Check()
    {
        if (given.AnyFailed("Connect", "Timeout", "AttemptTimeout", "WorkerTimeout"))
            return;
        CheckPart("AttemptTimeout", options.AttemptTimeout);
        CheckPart("WorkerTimeout", options.WorkerTimeout);
    }

    private void CheckPart(string key, TimeSpan value)
    {
        if (value > options.Timeout)
        {
            report.Error("Connect", key, $"{key} = {DurationText.Show(value)} "
                + $"is longer than Timeout = {DurationText.Show(options.Timeout)}, "
                + "which holds for all attempts together");
        }
    }
}
