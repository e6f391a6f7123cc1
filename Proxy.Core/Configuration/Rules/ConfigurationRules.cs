using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Configuration.Rules;

/// <summary>
/// What must hold between keys, and for the daemon to start. Rules judge the options and change nothing. A key whose value was
/// already refused is not judged a second time.
/// </summary>
internal static class ConfigurationRules
{
    /// <summary>Judges complete options; what is found goes to <paramref name="issues"/>, with the place where it was given.</summary>
    public static void Check(
        TorBalancerOptions options, GivenValues given, IConfigurationFiles files, ConfigurationIssues issues,
        ConfigurationParts parts = ConfigurationParts.All)
    {
        // Of several issues of one line, the first that is found is shown first.
        var report = new RuleReport(given, issues);
        if (parts.HasFlag(ConfigurationParts.Publisher))
        {
            new OnionRules(options, given, files, report).Check();
            new PublisherRules(options, given, files, report).Check();
        }

        if (!parts.HasFlag(ConfigurationParts.Proxy))
            return;
        new ListenerRules(options, given, files, report).Check();
        new TransparentRules(options, given, report).Check();
        new DnsRules(options, given, report).Check();
        new LimitRules(options, given, report).Check();
        new AddressRules(options, given, report).Check();
        new AdminRules(options.Admin, given, files, report).Check();
        new ConnectRules(options.Connect, given, report).Check();
        new WorkerRules(options, given, report).Check();
        new StartRules(options, given, files, report).Check();
        new RouteRules(options, given, report).Check();
        new OtherWorkerRules(options, given, report).Check();
    }
}
