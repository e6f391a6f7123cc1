using System.CommandLine;
using TorBalancer.Balancing;
using TorBalancer.Configuration;

namespace TorBalancer.Daemon.Commands;

/// <summary>What every command that reads the configuration takes: --config FILE and --Section:Key=value.</summary>
internal sealed class ConfigurationArguments
{
    private readonly Option<string?> _config = new("--config", "-c")
    {
        Description = "The configuration file. Without it: $TORBALANCER_CONFIG, ~/.config/torbalancer/torbalancer.conf, /etc/torbalancer/torbalancer.conf.",
        HelpName = "FILE",
    };

    private ConfigurationArguments()
    {
    }

    /// <summary>Adds the options to a command. What the command does not know itself is then taken for an override.</summary>
    public static ConfigurationArguments AddTo(Command command)
    {
        var arguments = new ConfigurationArguments();
        command.Options.Add(arguments._config);
        command.TreatUnmatchedTokensAsErrors = false;
        return arguments;
    }

    public ConfigurationResult Load(ParseResult parsed) =>
        ConfigurationLoader.Load(ConfigurationSources.OfProcess(parsed.GetValue(_config), parsed.UnmatchedTokens, SelectionPolicyNames.All));
}
