using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;
using TorBalancer.Configuration.Syntax;

namespace TorBalancer.Configuration.Rules;

/// <summary>By which tor the publisher works. Nothing of it matters without an onion service.</summary>
internal sealed class PublisherRules(TorBalancerOptions options, GivenValues given, IConfigurationFiles files, RuleReport report)
{
    private const string Section = "Publisher";

    private readonly PublisherOptions _publisher = options.Publisher;

    public void Check()
    {
        if (_publisher.ControlPassword.Length > 0 && _publisher.ControlCookie.Length > 0)
            report.Error(Section, "ControlPassword", "ControlPassword and ControlCookie contradict each other; give one of the two");
        if (options.OnionServices.Count == 0 || given.AnyFailed(Section, "Managed", "ControlPort"))
            return;
        if (_publisher.IsManaged)
            CheckManaged();
        else
            CheckControlPort();

        if (_publisher.SocksEndPoint is null && !_publisher.IsManaged && !given.AnyFailed(Section, "SocksPort")
            && options.Instances.FirstOrDefault(static one => one.HealthCheck.Kind != InstanceCheckKind.None) is { } checkedOne)
        {
            report.Error($"Instance:{checkedOne.FullName}", "HealthCheck",
                "HealthCheck needs a client to connect through: [Publisher] SocksPort = a worker's, or Managed = yes");
        }
    }

    private void CheckControlPort()
    {
        if (_publisher.ControlEndPoint is not { } control)
        {
            report.Error(Section, "Managed", "Managed = no needs ControlPort, the control port of a tor that nobody else uses");
            return;
        }

        if (options.Workers.FirstOrDefault(worker => worker.ControlEndPoint is { } other && Addresses.Clash(control, other)) is { } worker)
        {
            report.Error(Section, "ControlPort",
                $"{control} is the control port of [Worker:{worker.Name}]: fetching and publishing would disturb its clients, "
                    + "and the secret key's process would depend on them; give the publisher a tor of its own");
        }

        string? unused = Array.Find(["DataDirectory", "TorPath", "ExtraTorrc"], key => given.IsSet(Section, key));
        if (unused is not null)
            report.Warning(Section, unused, $"{unused} is not used: the tor at ControlPort is not started by the publisher");
    }

    private void CheckManaged()
    {
        if (_publisher.ControlEndPoint is not null)
        {
            report.Error(
                Section, "ControlPort", "ControlPort contradicts Managed = yes, which starts a tor of its own; give one of the two");
        }

        string? login = _publisher.ControlPassword.Length > 0 ? "ControlPassword"
            : _publisher.ControlCookie.Length > 0 ? "ControlCookie" : null;
        if (login is not null && _publisher.ControlEndPoint is null)
            report.Warning(Section, login, $"{login} is not used: there is no ControlPort");
        if (_publisher.ExtraTorrc.Length > 0)
        {
            string? wrong = files.TryRead(_publisher.ExtraTorrc, out string text, out string problem)
                ? TorrcText.Parse(text).Problem
                : problem;
            if (wrong is not null)
                Error("ExtraTorrc", _publisher.ExtraTorrc, wrong);
        }

        if (_publisher.TorPath.Contains('/') && !files.Exists(_publisher.TorPath))
            Error("TorPath", _publisher.TorPath, "is no file");
        if (_publisher.DataDirectory.StartsWith('/') && files.ProblemOfMaking(_publisher.DataDirectory, isDirectory: true) is { } making)
            Error("DataDirectory", _publisher.DataDirectory, making);
    }

    private void Error(string key, string value, string problem)
    {
        if (!given.AnyFailed(Section, key))
            report.Error(Section, key, $"{key} = \"{ConfText.Printable(value)}\" {problem}");
    }
}
