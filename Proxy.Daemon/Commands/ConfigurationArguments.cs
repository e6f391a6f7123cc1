using System.CommandLine;
using TorBalancer.Balancing;
using TorBalancer.Configuration;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Daemon.Commands;

/// <summary>What every command that reads the configuration takes: --config FILE and --Section:Key=value.</summary>
internal sealed class ConfigurationArguments
{
    private readonly Option<string?> _config = new("--config", "-c")
    {
        Description = "The configuration file. Without it: $TORBALANCER_CONFIG, ~/.config/torbalancer/torbalancer.conf, "
            + "/etc/torbalancer/torbalancer.conf.",
        HelpName = "FILE",

        // Without its value it is our own error (and exit code 2), worded like the others.
        Arity = ArgumentArity.ZeroOrOne,
    };

    private ConfigurationArguments()
    {
    }

    /// <summary>Whether a file was named on the command line.</summary>
    public bool IsNamed(ParseResult parsed) => parsed.GetResult(_config) is { Implicit: false };

    /// <summary>Adds the options to a command. What the command does not know itself is then taken for an override.</summary>
    public static ConfigurationArguments AddTo(Command command)
    {
        var arguments = new ConfigurationArguments();
        command.Options.Add(arguments._config);
        command.TreatUnmatchedTokensAsErrors = false;
        return arguments;
    }

    /// <summary>Reads the configuration of this call: file, environment and what stands on the command line.</summary>
    /// <param name="parts">Whose parts of it are judged.</param>
    public ConfigurationResult Load(ParseResult parsed, ConfigurationParts parts) => ConfigurationLoader.Load(Sources(parsed, parts));

    /// <summary>What it is read from, now and later.</summary>
    /// <param name="parts">Whose parts of it are judged.</param>
    public ConfigurationSources Sources(ParseResult parsed, ConfigurationParts parts)
    {
        string? path = parsed.GetValue(_config) ?? (IsNamed(parsed) ? "" : null);
        return ConfigurationSources.OfProcess(path, parsed.UnmatchedTokens, SelectionPolicyNames.All, parts);
    }
}
