using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;

namespace TorBalancer.Daemon.Commands;

/// <summary>
/// The help of a command, in which the library speaks of arguments for another program where a command takes keys of the configuration:
/// those are named instead.
/// </summary>
internal sealed class ProgramHelp(HelpAction help) : SynchronousCommandLineAction
{
    private const string Rest = "[[--] <additional arguments>...]]", RestTitle = "Additional Arguments:";

    public override bool ClearsParseErrors => true;

    /// <summary>Puts it in the place of the library's own.</summary>
    public static void AddTo(RootCommand root)
    {
        foreach (var option in root.Options.OfType<HelpOption>())
            option.Action = new ProgramHelp((HelpAction)option.Action!);
    }

    public override int Invoke(ParseResult parseResult)
    {
        var console = parseResult.InvocationConfiguration;
        if (parseResult.CommandResult.Command.TreatUnmatchedTokensAsErrors)
            return help.Invoke(parseResult);
        var output = console.Output;
        using var text = new StringWriter { NewLine = output.NewLine };
        console.Output = text;
        int code;
        try
        {
            code = help.Invoke(parseResult);
        }
        finally
        {
            console.Output = output;
        }

        string written = text.ToString().Replace(Rest, "[--SECTION:KEY=VALUE]...", StringComparison.Ordinal);
        int rest = written.IndexOf(RestTitle, StringComparison.Ordinal);
        output.Write(rest < 0 ? written : written[..rest]);
        if (rest >= 0)
        {
            output.WriteLine("Keys:");
            output.WriteLine("  --SECTION:KEY=VALUE  Any key of the configuration, over what its file says: --Balancing:Mode=random");
            output.WriteLine();
        }

        return code;
    }
}
