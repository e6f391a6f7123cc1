using System.Globalization;
using System.Text;
using TorBalancer.Configuration.Syntax;
using TorBalancer.Onion.Inspection;

namespace TorBalancer.Daemon.Commands;

/// <summary>A report for people.</summary>
internal sealed class OnionReportText
{
    private const int LabelWidth = 20;

    private readonly StringBuilder _text = new();

    private OnionReportText()
    {
    }

    public static string Of(InspectionView view)
    {
        var text = new OnionReportText();
        if (view.Descriptor is { } descriptor)
            text.Write(descriptor, view.Directory);
        if (view.Directories is { } directories)
            text.Write(directories);
        return text._text.ToString();
    }

    private void Write(DescriptorReport report, string? directory)
    {
        Line("address", report.Address ?? "not known");
        if (directory is not null)
            Line("given by", "$" + directory);
        Line("size", $"{report.Size} bytes");
        Line("version", Shown(report.Version));
        Line("revision counter", Shown(report.RevisionCounter));
        Line("lifetime", report.LifetimeMinutes is { } minutes ? Text($"{minutes} min") : "?");
        Line("blinded key", Shown(report.BlindedKey));
        Line("time period", report.Period is { } period ? Shown(period) : "?");
        Line("signing key", $"{Shown(report.SigningKey)}, certified until {Shown(report.SigningKeyExpires)}");
        if (report.OuterLayer is { } outer)
        {
            Line(
                "outer layer",
                Text($"{outer.Size} bytes, {outer.Padding} of them padding; {outer.Clients} clients, {Shown(outer.AuthenticationType)}"));
        }

        if (report.InnerLayer is { } inner)
        {
            Line("inner layer", $"{inner.Size} bytes");
            Line("  create2-formats", Shown(inner.Create2Formats));
            Line("  flow-control", inner.FlowControl is null ? "no" : Shown(inner.FlowControl));
            Line("  single onion", inner.IsSingleOnion ? "yes: the service does not hide where it is" : "no");
            Line("  proof of work", inner.ProofOfWork is null ? "no" : Shown(inner.ProofOfWork));
            if (inner.IntroductionAuthentication is { } required)
                Line("  authentication", Shown(required));
            Line("introduction points", Text($"{inner.IntroductionPoints.Count}"));
            foreach (var (index, point) in inner.IntroductionPoints.Index())
                Write(index + 1, point);
        }

        List("problems", report.Problems);
        if (report.Notes.Count > 0)
            List("notes", report.Notes);
    }

    private void Write(int number, IntroductionPointReport point)
    {
        Line(
            Text($"  {number}"),
            $"{Shown(point.Relay)} ${Shown(point.Fingerprint)}, certified until {Shown(point.AuthenticationKeyExpires)}"
                + (point.HasLegacyKey ? ", legacy key" : ""));
        Line("", $"auth-key {Shown(point.AuthenticationKey)}");
        foreach (string problem in point.Problems)
            Line("", problem);
    }

    private void Write(DirectoriesReport report)
    {
        Line("address", report.Address);
        Line("time period", Shown(report.Period));
        Line("introduction points", Text($"{report.IntroductionPoints} different ones over the directories that clients ask"));
        _text.Append("\nreplica  directory                                 asked  revision          bytes  points\n");
        foreach (var one in report.Directories)
        {
            var descriptor = one.Descriptor;
            string rest = descriptor is null
                ? $"none: {one.Failure}"
                : Text($"{descriptor.RevisionCounter,-16}  {descriptor.Size,5}  {descriptor.InnerLayer?.IntroductionPoints.Count,6}");
            _text.Append(Text($"{one.Replica}.{one.Rank}      {one.Fingerprint}  {(one.IsAsked ? "yes" : "no"),-5}  {rest}\n"));
        }

        _text.Append('\n');
        List("problems", report.Problems);
    }

    private void List(string label, IReadOnlyList<string> items)
    {
        if (items.Count == 0)
            Line(label, "none");
        for (int i = 0; i < items.Count; i++)
            Line(i == 0 ? label : "", items[i]);
    }

    private void Line(string label, string value) => _text.Append(label.PadRight(LabelWidth)).Append(value).Append('\n');

    private static string Shown(PeriodReport period) =>
        Text($"{period.Number} of {period.LengthMinutes} min, from {period.Begins:yyyy-MM-dd HH:mm} UTC");

    private static string Shown(DateTimeOffset? time) =>
        time is { } known ? known.UtcDateTime.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture) : "?";

    private static string Shown(ulong? number) => number?.ToString(CultureInfo.InvariantCulture) ?? "?";

    // What a descriptor says comes from somebody else: nothing of it reaches the terminal as it is.
    private static string Shown(string? text) => text is null ? "?" : ConfText.Printable(text);

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
