using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Daemon.Commands;

/// <summary>Which flags of <c>init</c> say something about the same thing, or about what another one leaves out.</summary>
internal static class InitFlags
{
    /// <summary>The first two of the given flags that cannot both be meant, and why; null: all can.</summary>
    /// <param name="isGiven">Whether a flag is on the command line.</param>
    public static string? Contradiction(Func<string, bool> isGiven)
    {
        const string links = "writes links and firewalls of workers and their sections, and no other file";
        foreach (string other in (string[])["--worker", "--gateway", "--listen", "--mode", "--managed", "--control"])
        {
            if (isGiven("--wireguard") && isGiven(other))
                return $"--wireguard and {other} cannot go together: --wireguard {links}";
        }

        foreach (string link in (string[])["--endpoint", "--network"])
        {
            if (!isGiven("--wireguard") && isGiven(link))
                return $"{link} goes with --wireguard, which is not given: it is about the links that --wireguard writes";
        }

        if (isGiven("--worker") && isGiven("--managed"))
        {
            return "--worker and --managed cannot go together: tor processes of the daemon's own run only where no worker is configured";
        }

        if (isGiven("--managed") && isGiven("--control"))
            return "--managed and --control cannot go together: tor processes of the daemon's own have control ports already";
        return isGiven("--control") && !isGiven("--worker")
            ? "--control goes with --worker, which is not given: it makes control ports for workers on other hosts" : null;
    }

    /// <summary>
    /// What <c>--gateway</c> was given: this machine's address as workers see it, or an interface that a network is behind; each once at
    /// most.
    /// </summary>
    /// <returns>What is wrong with it; null: nothing.</returns>
    public static string? ReadGateways(IReadOnlyList<string> given, out string address, out string device)
    {
        (address, device) = ("", "");
        foreach (string text in given)
        {
            bool isAddress = AddressText.TryLiteral(text, out _) || LooksLikeAddress(text);
            if ((isAddress ? address : device).Length > 0)
            {
                return $"--gateway {ConfText.Printable(isAddress ? address : device)} and --gateway {ConfText.Printable(text)} cannot go "
                    + $"together: {(isAddress ? "workers see one address of this machine" : "one network is behind one interface")}";
            }

            if (isAddress)
                address = text;
            else
                device = text;
        }

        return null;
    }

    /// <summary>So that a wrong address is told as that, and not as a strange interface.</summary>
    private static bool LooksLikeAddress(string text) =>
        text.Contains(':') || (text.Count(static c => c == '.') == 3 && text.All(static c => char.IsAsciiDigit(c) || c == '.'));
}
